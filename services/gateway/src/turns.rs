//! The turns on a connection: it keeps its slot from a complete request until the response is handed over, and gives
//! way while the gateway waits for the client.

use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    Error, Router,
    body::{Body, Bytes, HttpBody},
    http::Request,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    service::{HttpService, Service as _, service_fn},
};
use hyper_util::service::TowerToHyperService;

use crate::slots::Slot;

/// The maximum size of a response that is handed over at once; a longer one keeps the slot until its last piece.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Serves a connection's requests through `router`, and keeps its `slot` meanwhile.
pub(crate) fn taking_turns(
    router: Router,
    slot: &Arc<Slot>,
) -> impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + Send + use<> {
    let (router, slot) = (TowerToHyperService::new(router), Arc::clone(slot));
    service_fn(move |request: Request<Incoming>| {
        let (router, slot) = (router.clone(), Arc::clone(&slot));
        async move {
            // A request that was begun is answered, so a displaced connection begins none.
            if request.body().is_end_stream() && !slot.keep() {
                return pending().await;
            }
            let request = request.map(|body| Question {
                body,
                slot: Arc::clone(&slot),
            });
            let response = router.call(request).await?;
            Ok(response.map(|body| answer(body, slot)))
        }
    })
}

/// Wraps the body of a response; after it the connection gives way again.
fn answer(body: Body, slot: Arc<Slot>) -> Body {
    let most = body.size_hint().upper();
    if most.is_some_and(|most| most <= PIECE_BYTES_MAX as u64) {
        slot.give_way();
        return body;
    }
    let piece = Bytes::new();
    Body::new(Answer { body, piece, slot })
}

/// The body of a request; its end completes the request.
struct Question {
    body: Incoming,
    slot: Arc<Slot>,
}

impl HttpBody for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() && !self.slot.keep() {
            return Poll::Pending;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a long response, in pieces.
struct Answer {
    body: Body,
    /// The received bytes that are not sent yet.
    piece: Bytes,
    slot: Arc<Slot>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.piece.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)?);
            match frame.map(Frame::into_data) {
                Some(Ok(data)) => self.piece = data,
                Some(Err(trailers)) => return Poll::Ready(Some(Ok(trailers))),
                None => return Poll::Ready(None),
            }
        }
        let most = self.piece.len().min(PIECE_BYTES_MAX);
        let piece = self.piece.split_to(most);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, held) = (self.body.size_hint(), self.piece.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + held);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.slot.give_way();
    }
}
