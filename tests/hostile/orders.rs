//! Orders from those who may give none, and orders that are none.

use crate::scene::{ROOM, beside_a_call};
use ramai_test_support::{http, token};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_orders_without_the_right() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        let mut listener = token::claims(ROOM, "eve");
        listener["video"]["canPublish"] = false.into();
        let mut forged = token::claims(ROOM, "eve");
        forged["video"]["roomAdmin"] = true.into();
        let tokens = [
            (token::sign(&listener, token::DEV_SECRET), 403),
            (token::mint(ROOM, "eve"), 403),
            (token::mint_host("another", "eve"), 403),
            (token::sign(&forged, "guess"), 401),
            (String::new(), 401),
        ];
        let about_ben =
            format!(r#"{{"room":"{ROOM}","identity":"ben","trackSid":"TR_x","muted":true,"role":"speaker"}}"#);
        for (token, status) in tokens {
            for method in [
                "livekit.RoomService/DeleteRoom",
                "livekit.RoomService/ListParticipants",
                "livekit.RoomService/RemoveParticipant",
                "livekit.RoomService/MutePublishedTrack",
                "livekit.RoomService/UpdateParticipant",
                "livekit.RoomService/UpdateSubscriptions",
                "livekit.RoomService/SendData",
                "livekit.RoomService/UpdateRoomMetadata",
                "ramai.Moderation/GetRoom",
                "ramai.Moderation/SetRoom",
                "ramai.Moderation/MuteAll",
                "ramai.Moderation/Admit",
                "ramai.Moderation/Invite",
            ] {
                let answer = http::order(server, method, &token, &about_ben).await.expect("an answer");
                assert_eq!(answer.status, status, "{method}: {answer:?}");
                assert!(answer.body.contains(r#""code":""#) && answer.body.contains(r#""msg":""#), "{answer:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_order_is_refused_with_words() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        let host = token::mint_host(ROOM, "ana");
        let deep = "[".repeat(100_000);
        let long = format!(r#"{{"room":"{ROOM}","identity":"{}"}}"#, "x".repeat(100_000));
        let huge = format!(r#"{{"room":"{ROOM}","data":"{}"}}"#, "A".repeat(4 * 1024 * 1024));
        let metadata = format!(r#"{{"room":"{ROOM}","identity":"ben","metadata":"{}"}}"#, "x".repeat(100_000));
        for (method, body, status, code) in [
            ("livekit.RoomService/ListParticipants", "", 400, "malformed"),
            ("livekit.RoomService/ListParticipants", &deep, 400, "malformed"),
            ("livekit.RoomService/ListParticipants", "\u{0}\u{1}", 400, "malformed"),
            ("livekit.RoomService/GetParticipant", &long, 404, "not_found"),
            ("livekit.RoomService/SendData", &huge, 400, "invalid_argument"),
            ("livekit.RoomService/UpdateParticipant", &metadata, 400, "invalid_argument"),
            ("livekit.RoomService/ListParticipants/more", "{}", 404, ""),
            ("livekit.RoomService/Nothing", "{}", 404, "bad_route"),
            ("ramai.Moderation/SetRoom", r#"{"room":"quiet","locked":"yes"}"#, 400, "malformed"),
            ("ramai.Moderation/Invite", r#"{"room":"quiet","role":"host"}"#, 400, "malformed"),
        ] {
            let answer = http::order(server, method, &host, body).await.expect("an answer");
            assert_eq!(answer.status, status, "{method}: {answer:?}");
            assert!(answer.body.contains(code), "{method}: {answer:?}");
        }
    })
    .await;
}
