//! Content in and out, in pieces: memory does not grow with a blob.

use crate::error::Refusal;
use crate::store::{Reading, Staging, Store, StoreError, blocking};
use api::digest::{Digest, Digests};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use service::body::broken;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Pieces under way between the network and the disk.
const PIECES: usize = 4;

/// Writes a body to a staging file. Comes with the staging file whatever happens to the body, since an upload of several
/// requests goes on where it broke off.
pub async fn receive(
    staging: Staging,
    mut body: Body,
    limit: u64,
) -> Result<(Staging, Result<(), Refusal>), Refusal> {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(PIECES);
    let mut length = staging.length();
    let writer = tokio::task::spawn_blocking(move || {
        let mut staging = staging;
        while let Some(piece) = pieces.blocking_recv() {
            staging.write(&piece)?;
        }
        Ok::<_, StoreError>(staging)
    });
    let mut outcome = Ok(());
    while let Some(frame) = body.frame().await {
        let piece = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) => {
                outcome = Err(Refusal::Broken(broken(&error)));
                break;
            }
        };
        length += piece.len() as u64;
        if length > limit {
            outcome = Err(StoreError::TooLong { limit }.into());
            break;
        }
        if sender.send(piece).await.is_err() {
            // The writer has failed, and says why.
            break;
        }
    }
    drop(sender);
    let staging = writer.await.unwrap_or(Err(StoreError::Broken))?;
    Ok((staging, outcome))
}

/// What goes out, and how it is called.
pub struct Outgoing<'a> {
    /// The blob.
    pub digest: Digest,
    /// Its length.
    pub length: u64,
    /// Its media type.
    pub media_type: &'a str,
    /// What `Content-Digest` says.
    pub digests: Digests,
}

/// Answers with a blob, or a part of it, or that the caller has it already (RFC 9110 sections 13 and 14).
pub async fn send(
    store: &Store,
    method: &Method,
    headers: &HeaderMap,
    blob: Outgoing<'_>,
) -> Result<Response, Refusal> {
    let tag = format!("\"{}\"", blob.digest);
    let mut response = Response::new(Body::empty());
    let answer = response.headers_mut();
    let mut set = |name, text: &str| {
        // Media types were checked when they came; all else is ours.
        HeaderValue::from_str(text).map(|value| drop(answer.insert(name, value))).unwrap_or_default();
    };
    set(header::ETAG, &tag);
    set(header::CONTENT_TYPE, blob.media_type);
    set(header::ACCEPT_RANGES, "bytes");
    set(header::HeaderName::from_static("content-digest"), &blob.digests.to_header());
    set(header::HeaderName::from_static("docker-content-digest"), &blob.digest.to_string());
    // A workload is nothing that a browser should run in our name.
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    if known
        .flat_map(|value| value.split(','))
        .any(|known| matches!(known.trim(), "*") || known.trim() == tag)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let range = match headers.get(header::IF_RANGE).is_none_or(|known| known == tag.as_str()) {
        true => headers
            .get(header::RANGE)
            .and_then(|range| range.to_str().ok())
            .and_then(|text| part(text, blob.length)),
        false => None,
    };
    let (start, end) = match range {
        Some(Some((start, end))) => {
            set(header::CONTENT_RANGE, &format!("bytes {start}-{}/{}", end - 1, blob.length));
            (start, end)
        }
        Some(None) => return Err(Refusal::Range { length: blob.length }),
        None => (0, blob.length),
    };
    set(header::CONTENT_LENGTH, &(end - start).to_string());
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    if *method != Method::HEAD {
        let blobs = store.blobs.clone();
        let opened = blocking(move || {
            let reading = blobs.read(blob.digest, blob.length)?;
            let mut reading = if range.is_some() { reading.part(start..end)? } else { reading };
            // A blob of one piece is known to be good or bad before there is an answer.
            let first = reading.next()?;
            Ok((reading, first))
        });
        let (reading, first) = opened.await?;
        *response.body_mut() = Body::new(Pieces::start(reading, first, end - start));
    }
    Ok(response)
}

/// One range of bytes. None: there is none that is understood, and the whole is sent. Some(None): it is none of the blob.
fn part(text: &str, length: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.is_empty(), last.is_empty()) {
        (true, true) => return None,
        (true, false) => (length.saturating_sub(last.parse().ok()?), length),
        (false, true) => (first.parse().ok()?, length),
        (false, false) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(length))
        }
    };
    Some((start < end).then_some((start, end)))
}

/// A body that a thread reads from the disk.
struct Pieces {
    pieces: mpsc::Receiver<Result<Bytes, StoreError>>,
    left: u64,
}

impl Pieces {
    fn start(mut reading: Reading, first: Option<Vec<u8>>, length: u64) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES);
        if first.as_ref().is_none_or(|first| first.len() as u64 == length) {
            let _ = first.map(|first| sender.try_send(Ok(first.into())));
            return Self { pieces, left: length };
        }
        tokio::task::spawn_blocking(move || {
            let mut next = Ok(first);
            while let Some(piece) = next.transpose() {
                let failed = piece.is_err();
                if sender.blocking_send(piece.map(Bytes::from)).is_err() || failed {
                    return;
                }
                next = reading.next();
            }
        });
        Self { pieces, left: length }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        self.pieces.poll_recv(cx).map(|piece| {
            let piece = piece?;
            match &piece {
                Ok(piece) => self.left -= piece.len() as u64,
                // The connection ends before the content does: nobody takes it for whole.
                Err(error) => tracing::error!(reason = %error, "a blob cannot be sent"),
            }
            Some(piece.map(Frame::data))
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("bytes=0-0", Some(Some((0, 1)))),
            ("bytes=2-", Some(Some((2, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=-30", Some(Some((0, 10)))),
            ("bytes=5-500", Some(Some((5, 10)))),
            ("bytes=5-18446744073709551615", Some(Some((5, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=5-4", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(part(text, 10), expected, "{text}");
        }
    }
}
