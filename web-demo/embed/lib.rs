//! The demo page's files, embedded in the server binary. When the page has not been built, there is a single page
//! instead that says how to build it.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt::Write;

use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[cfg_attr(demo_built, folder = "dist/")]
#[cfg_attr(not(demo_built), folder = "embed/not-built/")]
struct Files;

/// Where Vite puts the files whose names carry a hash of their content.
const HASHED: &str = "assets/";

/// The page itself.
const PAGE: &str = "index.html";

/// One file of the page, with what an HTTP answer needs to know of it.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The file's content.
    pub bytes: Cow<'static, [u8]>,
    /// Value for `Content-Type`, with the character set for text.
    pub content_type: String,
    /// Value for `ETag`, quotes included (RFC 9110, section 8.8.3): a hash of the content.
    pub etag: String,
    /// The content under this name never changes, so it may be cached for ever.
    pub immutable: bool,
}

/// The file at `path`, which is relative to the page's root, with or without a leading slash
/// (`assets/index-abc.js`); the root itself is the page. `None` if there is none; a path can't leave the embedded
/// files.
pub fn asset(path: &str) -> Option<Asset> {
    let path = match path.strip_prefix('/').unwrap_or(path) {
        "" => PAGE,
        path => path,
    };
    Files::get(path).map(|file| describe(path, file))
}

/// The page itself, for `/` and for every address that the page routes by itself (`/r/<room>`).
pub fn index() -> Asset {
    asset(PAGE).unwrap_or_else(|| Asset {
        bytes: Cow::Borrowed(b"The demo page is missing from this server."),
        content_type: "text/plain; charset=utf-8".to_owned(),
        etag: "\"missing\"".to_owned(),
        immutable: false,
    })
}

/// Whether the real page is embedded, not the one that says it isn't built.
pub const fn is_built() -> bool {
    cfg!(demo_built)
}

fn describe(path: &str, file: EmbeddedFile) -> Asset {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let text = mime.type_() == mime_guess::mime::TEXT || mime.subtype() == mime_guess::mime::JAVASCRIPT;
    let content_type =
        if text { format!("{}; charset=utf-8", mime.essence_str()) } else { mime.essence_str().to_owned() };
    Asset {
        bytes: file.data,
        content_type,
        etag: etag(&file.metadata.sha256_hash()),
        immutable: path.starts_with(HASHED),
    }
}

/// Half of a SHA-256 in hex tells any two builds apart.
fn etag(hash: &[u8; 32]) -> String {
    let mut etag = String::with_capacity(34);
    etag.push('"');
    for byte in hash.iter().take(16) {
        // Writing to a String doesn't fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    etag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_a_page_with_an_etag() {
        let page = index();
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(!page.immutable, "a new build must reach browsers that know the old one");
        assert_eq!(page.etag.len(), 34);
        assert!(page.etag.starts_with('"') && page.etag.ends_with('"'));
        assert!(String::from_utf8_lossy(&page.bytes).contains("Ramai"));
    }

    #[test]
    fn content_is_embedded_and_not_read_from_disk() {
        assert!(matches!(index().bytes, Cow::Borrowed(_)));
    }

    #[test]
    fn a_leading_slash_makes_no_difference() {
        for path in ["/index.html", "index.html", "/", ""] {
            assert_eq!(asset(path).map(|a| a.etag), Some(index().etag), "{path:?}");
        }
    }

    #[test]
    fn nothing_outside_is_reachable() {
        for path in
            ["no-such-file", "//index.html", "../Cargo.toml", "/../Cargo.toml", "assets", "assets/../../Cargo.toml"]
        {
            assert!(asset(path).is_none(), "{path}");
        }
    }

    #[test]
    fn everything_the_page_asks_for_is_there() {
        let page = index();
        let html = String::from_utf8_lossy(&page.bytes);
        let asked: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
        assert_eq!(asked.is_empty(), !is_built());
        for path in asked {
            let file = asset(path).unwrap_or_else(|| panic!("{path} is missing"));
            assert!(file.immutable && !file.bytes.is_empty());
            let expected = match path.rsplit('.').next() {
                Some("js") => "text/javascript; charset=utf-8",
                Some("css") => "text/css; charset=utf-8",
                Some("svg") => "image/svg+xml",
                other => panic!("unexpected sort of file {other:?}"),
            };
            assert_eq!(file.content_type, expected);
        }
    }

    #[test]
    fn a_page_not_built_says_how_to_build_it() {
        if !is_built() {
            assert!(String::from_utf8_lossy(&index().bytes).contains("make demo"));
        }
    }
}
