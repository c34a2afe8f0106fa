//! Bodies of requests: bounded in size, and in how slow they may come.

use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How long the pace of a body does not count.
const GRACE: Duration = Duration::from_secs(10);

/// A whole body, no larger than the limit.
#[derive(Clone, Debug)]
pub struct Content(pub Bytes);

/// The limit of [`Content`], in each request's extensions; a route may put its own there.
#[derive(Clone, Copy, Debug)]
pub struct ContentMost(pub usize);

impl<S: Sync> FromRequest<S> for Content {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let most = request.extensions().get::<ContentMost>().map_or(0, |most| most.0);
        read(request.into_body(), most).await.map(Self)
    }
}

/// Reads a body of at most `most` bytes.
pub async fn read(mut body: Body, most: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if whole.len() + data.len() > most {
            return Err(too_large(most));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn too_large(most: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-size")
        .detail(format!("a body may have {most} bytes at most"))
}

/// What to answer when a body does not come to its end.
pub fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooSlow>() {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "body-time").detail(error.to_string());
        }
        cause = error.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "body").detail("the body does not come to its end")
}

/// A body that came too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body came too slowly")]
pub struct TooSlow;

/// How slow a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Longest time between two pieces.
    pub(crate) stall: Duration,
    /// Bytes per second after the grace.
    pub(crate) slowest: u64,
}

/// A body that fails when it comes too slowly. Time that the program takes does not count.
struct Paced {
    body: Body,
    pace: Pace,
    waited: Duration,
    received: u64,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// Holds a body to a pace.
pub(crate) fn paced(body: Body, pace: Pace) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Paced { body, pace, waited: Duration::ZERO, received: 0, waiting: None })
}

impl Paced {
    /// How long this piece may take: never longer than the stall, nor longer than the average pace allows.
    fn allowance(&self) -> Duration {
        let earned = Duration::from_secs_f64(self.received as f64 / self.pace.slowest.max(1) as f64);
        (GRACE + earned).saturating_sub(self.waited).min(self.pace.stall)
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some((since, _)) = this.waiting.take() {
                this.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame {
                this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame);
        }
        let allowance = this.allowance();
        let (_, timer) =
            this.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(allowance))));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
