//! Reads what a client says in the URL when it connects: v0 in single parameters, v1 in one packed `join_request`.

use crate::auth;
use crate::error::Refusal;
use crate::session::{Dialect, Join};
use axum::http::HeaderMap;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use livekit_protocol as proto;
use prost::Message;
use proto::client_info::Sdk;
use std::collections::HashMap;
use std::io::Read;

/// Largest `join_request` after unpacking, in bytes: an offer with many sections, and attributes.
const MAX_JOIN: usize = 1024 * 1024;

/// URL-safe alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Checks the token and reads the rest.
pub fn read(query: &str, headers: &HeaderMap, dialect: Dialect, keys: &[(String, String)]) -> Result<Join, Refusal> {
    let query: HashMap<String, String> =
        serde_urlencoded::from_str(query).map_err(|_| Refusal::BadRequest("the query cannot be read"))?;
    let get = |key: &str| query.get(key).map_or("", String::as_str);
    let token = match get("access_token") {
        "" => auth::bearer(headers),
        token => token,
    };
    let claims = auth::verify(token, keys)?;
    if !matches!(get("room"), "") && get("room") != claims.video.room {
        return Err(Refusal::WrongRoom);
    }
    let request = if dialect == Dialect::Single { unpack(get("join_request"))? } else { from_query(&get) };
    let settings = request.connection_settings.unwrap_or_default();
    Ok(Join {
        claims,
        dialect,
        auto_subscribe: settings.auto_subscribe,
        client: request.client_info.unwrap_or_default(),
        resume: request.reconnect.then_some(request.participant_sid),
        offer: request.publisher_offer,
        add_tracks: request.add_track_requests,
        attributes: request.participant_attributes,
        metadata: request.metadata,
    })
}

/// The `join_request` of v1: base64url of a wrapper around a message that may be compressed.
fn unpack(packed: &str) -> Result<proto::JoinRequest, Refusal> {
    use proto::wrapped_join_request::Compression;
    if packed.is_empty() {
        return Err(Refusal::BadRequest("join_request is missing"));
    }
    let wrapped = BASE64.decode(packed).map_err(|_| Refusal::BadRequest("join_request is not base64url"))?;
    let wrapped = proto::WrappedJoinRequest::decode(wrapped.as_slice())
        .map_err(|_| Refusal::BadRequest("join_request is not a WrappedJoinRequest"))?;
    let bytes = match wrapped.compression() {
        Compression::None => wrapped.join_request,
        Compression::Gzip => {
            let mut bytes = Vec::new();
            // One byte more than allowed tells too much from just enough, whatever the compression claims.
            flate2::read::GzDecoder::new(wrapped.join_request.as_slice())
                .take(MAX_JOIN as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(|_| Refusal::BadRequest("join_request is not gzip"))?;
            bytes
        }
    };
    if bytes.len() > MAX_JOIN {
        return Err(Refusal::BadRequest("join_request is too large"));
    }
    proto::JoinRequest::decode(bytes.as_slice()).map_err(|_| Refusal::BadRequest("join_request is not a JoinRequest"))
}

/// The same from the single parameters of v0.
fn from_query<'a>(get: &impl Fn(&str) -> &'a str) -> proto::JoinRequest {
    let on = |key: &str| matches!(get(key), "1" | "true");
    let sdk = match get("sdk").to_ascii_lowercase().as_str() {
        "js" => Sdk::Js,
        "swift" | "ios" => Sdk::Swift,
        "android" => Sdk::Android,
        "flutter" => Sdk::Flutter,
        "go" => Sdk::Go,
        "unity" => Sdk::Unity,
        "reactnative" => Sdk::ReactNative,
        "rust" => Sdk::Rust,
        "python" => Sdk::Python,
        "cpp" => Sdk::Cpp,
        "unityweb" => Sdk::UnityWeb,
        "node" => Sdk::Node,
        _ => Sdk::Unknown,
    };
    let mut client = proto::ClientInfo {
        version: get("version").to_owned(),
        protocol: get("protocol").parse().unwrap_or(0),
        client_protocol: get("client_protocol").parse().unwrap_or(0),
        os: get("os").to_owned(),
        os_version: get("os_version").to_owned(),
        device_model: get("device_model").to_owned(),
        browser: get("browser").to_owned(),
        browser_version: get("browser_version").to_owned(),
        network: get("network").to_owned(),
        ..Default::default()
    };
    client.set_sdk(sdk);
    proto::JoinRequest {
        client_info: Some(client),
        connection_settings: Some(proto::ConnectionSettings {
            // Subscribing is what a client gets that doesn't say.
            auto_subscribe: get("auto_subscribe").is_empty() || on("auto_subscribe"),
            adaptive_stream: on("adaptive_stream"),
            ..Default::default()
        }),
        reconnect: on("reconnect"),
        participant_sid: get("sid").to_owned(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn pack(bytes: &[u8], compression: i32) -> String {
        BASE64.encode(proto::WrappedJoinRequest { compression, join_request: bytes.to_vec() }.encode_to_vec())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn request() -> proto::JoinRequest {
        proto::JoinRequest { participant_sid: "PA_x".into(), reconnect: true, ..Default::default() }
    }

    #[test]
    fn plain_and_compressed_requests_read_the_same() {
        let bytes = request().encode_to_vec();
        assert_eq!(unpack(&pack(&bytes, 0)).unwrap(), request());
        assert_eq!(unpack(&pack(&gzip(&bytes), 1)).unwrap(), request());
        assert_eq!(unpack(pack(&bytes, 0).trim_end_matches('=')).unwrap(), request());
    }

    #[test]
    fn each_malformation_is_named() {
        let words = |packed: &str| unpack(packed).unwrap_err().to_string();
        assert!(words("").contains("missing"));
        assert!(words("!!!").contains("base64url"));
        assert!(words(&BASE64.encode([0xff; 40])).contains("WrappedJoinRequest"));
        assert!(words(&pack(b"not gzip", 1)).contains("not gzip"));
        assert!(words(&pack(&[0xff; 40], 0)).contains("not a JoinRequest"));
    }

    #[test]
    fn a_gzip_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
        assert!(bomb.len() < 100 * 1024);
        assert!(unpack(&pack(&bomb, 1)).unwrap_err().to_string().contains("too large"));
    }
}
