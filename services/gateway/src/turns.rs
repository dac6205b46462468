//! Whose turn it is on a connection: it keeps its place from when a request has come whole until its answer is handed
//! over, and gives way while the gateway waits for its client.

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

use crate::room::Place;

/// Most bytes of an answer that are handed over at once; a longer one keeps the place until its last piece.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Answers a connection's requests through `router`, and keeps its `place` meanwhile.
pub(crate) fn taking_turns(
    router: Router,
    place: &Arc<Place>,
) -> impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + Send + use<> {
    let (router, place) = (TowerToHyperService::new(router), Arc::clone(place));
    service_fn(move |request: Request<Incoming>| {
        let (router, place) = (router.clone(), Arc::clone(&place));
        async move {
            // What is begun is answered: a connection that has to end begins nothing.
            if request.body().is_end_stream() && !place.keep() {
                return pending().await;
            }
            let request = request.map(|body| Question {
                body,
                place: Arc::clone(&place),
            });
            let response = router.call(request).await?;
            Ok(response.map(|body| answer(body, place)))
        }
    })
}

/// The body of an answer, with which the connection gives way again.
fn answer(body: Body, place: Arc<Place>) -> Body {
    let most = body.size_hint().upper();
    if most.is_some_and(|most| most <= PIECE_BYTES_MAX as u64) {
        place.give_way();
        return body;
    }
    let piece = Bytes::new();
    Body::new(Answer { body, piece, place })
}

/// The body of a request: its end is the request's.
struct Question {
    body: Incoming,
    place: Arc<Place>,
}

impl HttpBody for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() && !self.place.keep() {
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

/// The body of a long answer, in pieces.
struct Answer {
    body: Body,
    /// What came and is not handed over.
    piece: Bytes,
    place: Arc<Place>,
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
        self.place.give_way();
    }
}
