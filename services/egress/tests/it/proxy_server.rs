//! A proxy that connects, and some that do not.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::world::{Requests, spawn};

/// The way in which a proxy answers.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Connects to this port of this machine, whatever it is asked for, after it said this often that it cannot.
    Connects(u16, usize),
    /// Answers with these bytes, and closes.
    Says(Vec<u8>),
    /// Answers with these bytes again and again.
    Repeats(Vec<u8>),
    /// Says nothing.
    Hangs,
}

/// A proxy on a port of this machine.
pub(crate) struct ProxyServer {
    pub(crate) port: u16,
    /// The heads of the requests to it.
    pub(crate) asked: Requests,
    /// The bytes that went through it to hosts.
    pub(crate) through: Arc<Mutex<Vec<u8>>>,
}

impl ProxyServer {
    /// Starts one; `acceptor` has it speak TLS.
    pub(crate) async fn new(manner: Manner, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, through) = (Requests::default(), Arc::<Mutex<Vec<u8>>>::default());
        let kept = (Arc::clone(&asked), Arc::clone(&through));
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, kept) = (manner.clone(), (Arc::clone(&kept.0), Arc::clone(&kept.1)));
                match &acceptor {
                    None => spawn(serve(stream, manner, kept)),
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            spawn(serve(stream, manner, kept));
                        }
                    }
                }
            }
        });
        Self {
            port,
            asked,
            through,
        }
    }

    /// The heads of the requests to it, from the first to the last.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    (asked, through): (Requests, Arc<Mutex<Vec<u8>>>),
) {
    let Some(request) = read_head(&mut stream).await else {
        return;
    };
    let count = {
        let mut asked = asked.lock().unwrap();
        asked.push(request);
        asked.len()
    };
    // The client may have gone away.
    match manner {
        Manner::Connects(_, refused) if count <= refused => {
            let answer = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.ok();
            stream.shutdown().await.ok();
        }
        Manner::Connects(port, _) => {
            let mut host = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            relay(&mut stream, &mut host, &through).await.ok();
        }
        Manner::Says(answer) => {
            stream.write_all(&answer).await.ok();
            stream.shutdown().await.ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
        }
        Manner::Repeats(answer) => while stream.write_all(&answer).await.is_ok() {},
        Manner::Hangs => drop(stream.read_to_end(&mut Vec::new()).await),
    }
}

/// Reads up to the empty line; none if the client says nothing more before.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// Carries bytes in both directions, and keeps those of the client.
async fn relay(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &mut TcpStream,
    through: &Mutex<Vec<u8>>,
) -> std::io::Result<()> {
    let (mut sent, mut answered) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            n = client.read(&mut sent) => {
                let part = &sent[..n?];
                if part.is_empty() {
                    return Ok(());
                }
                through.lock().unwrap().extend_from_slice(part);
                host.write_all(part).await?;
            }
            n = host.read(&mut answered) => {
                let part = &answered[..n?];
                if part.is_empty() {
                    return client.shutdown().await;
                }
                client.write_all(part).await?;
                client.flush().await?;
            }
        }
    }
}
