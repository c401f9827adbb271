//! The demo page out of the binary: cache headers, revalidation and a strict content policy.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use std::sync::Arc;

/// One file of the demo page.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub content_type: String,
    /// Its entity tag, quotes included.
    pub etag: String,
    /// Its name changes with its content, so it may be cached forever.
    pub immutable: bool,
}

/// Gives a file by path without leading slash; `""` is the page itself.
pub type Assets = Arc<dyn Fn(&str) -> Option<Asset> + Send + Sync>;

/// No request to any host but ours; camera and microphone for the page itself.
const CONTENT_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: mediastream:; \
    style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; connect-src 'self' ws: wss:; object-src 'none'; \
    base-uri 'self'; frame-ancestors 'none'";

/// Answers with `asset`, or 304 if the client has it already, or 404.
pub(crate) fn respond(asset: Option<Asset>, request: &HeaderMap) -> Response {
    let Some(asset) = asset else {
        return (StatusCode::NOT_FOUND, "not found").into_response();
    };
    let known = request.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| {
        v.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag || tag.trim() == "*")
    });
    let mut response = Response::new(if known { Body::empty() } else { Body::from(asset.bytes) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &asset.content_type);
    set(header::ETAG, &asset.etag);
    set(header::CACHE_CONTROL, if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" });
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset() -> Asset {
        Asset {
            bytes: Cow::Borrowed(b"hello"),
            content_type: "text/html".into(),
            etag: "\"abc\"".into(),
            immutable: false,
        }
    }

    #[test]
    fn known_files_are_not_sent_again() {
        let mut headers = HeaderMap::new();
        assert_eq!(respond(Some(asset()), &headers).status(), StatusCode::OK);
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"x\", W/\"abc\""));
        assert_eq!(respond(Some(asset()), &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(respond(None, &headers).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn only_hashed_names_are_kept_forever() {
        let page = respond(Some(asset()), &HeaderMap::new());
        assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
        let script = respond(Some(Asset { immutable: true, ..asset() }), &HeaderMap::new());
        assert!(script.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        assert_eq!(script.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
