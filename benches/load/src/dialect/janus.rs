//! Janus' videoroom plugin over its HTTP API: one session for each participant, one handle to publish and one to receive.
//!
//! The room must exist, with a number as its name; publishers are joined in one subscription by a handle of its own, updated when
//! others come and go. Janus answers in two steps: an acknowledgement at once, the event by a long poll.

use super::http::{Ask, ask};
use super::tracks::Tracks;
use super::{Attendance, Common, Dialect, Life, Link, PATIENCE, Seat, View};
use crate::Error;
use crate::sdp::{self, Description};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A long poll ends by itself after 30 s.
const LONG_POLL: Duration = Duration::from_secs(40);

/// See the module.
pub struct Janus {
    /// What all share.
    pub common: Common,
}

impl Dialect for Janus {
    fn attend(&self, seat: Seat, life: Life) -> Attendance {
        let common = self.common.clone();
        Box::pin(async move {
            let session = Session::create(&common.server).await?;
            let lived = live(&common, &seat, life, &session).await;
            // It ends with its session anyway; this is quicker.
            let _ = session.say("", json!({ "janus": "destroy" })).await;
            lived
        })
    }
}

/// A session with its server.
struct Session {
    server: String,
    path: String,
}

impl Session {
    async fn create(server: &str) -> Result<Self, Error> {
        let mut session = Self { server: server.to_owned(), path: "/janus".into() };
        let id = session.say("", json!({ "janus": "create" })).await?["data"]["id"].as_u64();
        session.path = format!("/janus/{}", id.ok_or_else(|| Error::Protocol("no session id".into()))?);
        Ok(session)
    }

    /// A handle of the plugin, as a path behind the session's.
    async fn attach(&self) -> Result<(u64, String), Error> {
        let message = json!({ "janus": "attach", "plugin": "janus.plugin.videoroom" });
        let id = self.say("", message).await?["data"]["id"].as_u64();
        let id = id.ok_or_else(|| Error::Protocol("no handle id".into()))?;
        Ok((id, format!("/{id}")))
    }

    /// Sends one message; the answer is an acknowledgement or the result.
    async fn say(&self, handle: &str, mut message: Value) -> Result<Value, Error> {
        message["transaction"] = json!("load");
        let path = format!("{}{handle}", self.path);
        let mut post = Ask::new(Method::POST, &path);
        post.body = Some(("application/json", message.to_string()));
        read(ask(&self.server, post).await?.body.as_str())
    }

    /// The events of the next long poll.
    async fn listen(&self) -> Result<Vec<Value>, Error> {
        let path = format!("{}?maxev=10", self.path);
        let mut get = Ask::new(Method::GET, &path);
        get.patience = LONG_POLL;
        match read(ask(&self.server, get).await?.body.as_str())? {
            Value::Array(events) => events.into_iter().map(sound).collect(),
            event => Ok(vec![event]),
        }
    }
}

fn read(body: &str) -> Result<Value, Error> {
    let value: Value = serde_json::from_str(body).map_err(|e| Error::Protocol(e.to_string()))?;
    sound(value)
}

/// Refuses what says that it is an error.
fn sound(value: Value) -> Result<Value, Error> {
    if value["janus"] == "error" {
        return Err(Error::Protocol(value["error"].to_string()));
    }
    if let Some(error) = value["plugindata"]["data"].get("error") {
        return Err(Error::Protocol(error.to_string()));
    }
    Ok(value)
}

async fn live(common: &Common, seat: &Seat, life: Life, session: &Session) -> Result<(), Error> {
    let Life { joined, mut leave, begun } = life;
    let room: u64 = seat.room.parse().map_err(|_| Error::Usage("Janus needs a number as the room's name".into()))?;
    let (publisher, publisher_path) = session.attach().await?;
    let mut up = Link::new(&common.engine);
    let tracks = Tracks::of(seat);
    // Everybody joins as a publisher, so as to be told of others; who publishes, offers.
    let mut join = json!({
        "janus": "message",
        "body": { "request": "join", "ptype": "publisher", "room": room, "display": seat.identity },
    });
    if let Some(tracks) = &tracks {
        let offer = sdp::offer(&tracks.sections(), &up.port.local, &common.engine.identity.fingerprint, 1);
        // Left the choice, Janus would begin the handshake itself; we can only do that.
        let offer = offer.replace("a=setup:actpass", "a=setup:active");
        join["body"]["request"] = json!("joinandconfigure");
        join["jsep"] = json!({ "type": "offer", "sdp": offer });
    }
    session.say(&publisher_path, join).await?;
    let mut joined = Some(joined);
    let (mut feeds, mut down) = (Feeds::default(), None::<(u64, String, Link)>);
    let mut told = false;
    let late = tokio::time::sleep(PATIENCE);
    tokio::pin!(late);
    let mut listening = Box::pin(session.listen());
    loop {
        let up_done = tracks.is_none() || up.is_open;
        let down_done = down.as_ref().is_none_or(|(_, _, link)| link.is_open);
        if told && up_done && down_done {
            // Whoever doesn't wait for it any more has ended the run.
            let _ = joined.take().map(|joined| joined.send(()));
        }
        let events = tokio::select! {
            _ = &mut leave => return Ok(()),
            () = &mut late, if joined.is_some() => return Err(Error::Late("the join")),
            opened = up.wait() => { opened?; continue }
            opened = wait(&mut down) => { opened?; continue }
            events = &mut listening => events?,
        };
        listening = Box::pin(session.listen());
        for event in events {
            let data = &event["plugindata"]["data"];
            if event["janus"] == "hangup" {
                return Err(Error::Media(format!("Janus hung up: {}", event["reason"])));
            }
            if event["sender"] == json!(publisher) {
                if let (Some(sdp), Some(tracks)) = (event["jsep"]["sdp"].as_str(), &tracks) {
                    let theirs = Description::parse(sdp)?;
                    up.apply(common, seat, begun, &theirs)?;
                    up.port.publish(tracks.source(theirs.extensions))?;
                }
                told |= data["videoroom"] == "joined";
                let wanted = feeds.choose(&data["publishers"], &seat.view);
                if !wanted.is_empty() {
                    subscribe(common, session, room, wanted, &mut down).await?;
                }
                for gone in [&data["unpublished"], &data["leaving"]] {
                    if let Some(feed) = gone.as_u64() {
                        feeds.taken.remove(&feed);
                    }
                }
            } else if let (Some((_, path, link)), Some(sdp)) = (&mut down, event["jsep"]["sdp"].as_str()) {
                let theirs = Description::parse(sdp)?;
                link.apply(common, seat, begun, &theirs)?;
                let answer = theirs.answer(&link.port.local, &common.engine.identity.fingerprint, 1);
                let start = json!({
                    "janus": "message",
                    "body": { "request": "start" },
                    "jsep": { "type": "answer", "sdp": answer },
                });
                session.say(path, start).await?;
            }
        }
    }
}

/// Publishers that are subscribed to.
#[derive(Debug, Default)]
struct Feeds {
    /// By feed: microphones and cameras of it that we receive.
    taken: BTreeMap<u64, (usize, usize)>,
}

impl Feeds {
    /// What to subscribe to of publishers that are new, as far as the view goes.
    fn choose(&mut self, publishers: &Value, view: &View) -> Vec<Value> {
        let mut wanted = Vec::new();
        for publisher in publishers.as_array().into_iter().flatten() {
            let Some(feed) = publisher["id"].as_u64().filter(|feed| !self.taken.contains_key(feed)) else { continue };
            let mut own = (0, 0);
            for stream in publisher["streams"].as_array().into_iter().flatten() {
                let (ears, eyes) = self.taken.values().fold(own, |sum, taken| (sum.0 + taken.0, sum.1 + taken.1));
                let (room, count) = match stream["type"].as_str() {
                    Some("audio") => (ears < view.audible, &mut own.0),
                    Some("video") => (eyes < view.visible, &mut own.1),
                    _ => continue,
                };
                if room {
                    *count += 1;
                    wanted.push(json!({ "feed": feed, "mid": stream["mid"] }));
                }
            }
            self.taken.insert(feed, own);
        }
        wanted
    }
}

/// Asks for the tracks of publishers, on the handle for receiving, which the first time is made.
async fn subscribe(
    common: &Common,
    session: &Session,
    room: u64,
    streams: Vec<Value>,
    down: &mut Option<(u64, String, Link)>,
) -> Result<(), Error> {
    let first = down.is_none();
    if first {
        let (id, path) = session.attach().await?;
        *down = Some((id, path, Link::new(&common.engine)));
    }
    let Some((_, path, _)) = down else { return Ok(()) };
    let body = match first {
        true => json!({ "request": "join", "ptype": "subscriber", "room": room, "streams": streams }),
        false => json!({ "request": "update", "subscribe": streams }),
    };
    session.say(path, json!({ "janus": "message", "body": body })).await?;
    Ok(())
}

/// [`Link::wait`] where there may be no link.
async fn wait(down: &mut Option<(u64, String, Link)>) -> Result<(), Error> {
    match down {
        Some((_, _, link)) => link.wait().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_subscribed_as_the_view_holds() {
        let mut feeds = Feeds::default();
        let publisher = |id: u64| json!({ "id": id, "streams": [{ "type": "audio", "mid": "0" }, { "type": "video", "mid": "1" }] });
        let view = View { audible: 10, visible: 1, quality: 2, slots: false };
        let wanted = feeds.choose(&json!([publisher(7), publisher(8)]), &view);
        let expected = [("7", "0"), ("7", "1"), ("8", "0")];
        let got: Vec<(String, &str)> =
            wanted.iter().map(|w| (w["feed"].to_string(), w["mid"].as_str().unwrap())).collect();
        assert_eq!(got, expected.map(|(feed, mid)| (feed.to_owned(), mid)));
        assert!(feeds.choose(&json!([publisher(7)]), &view).is_empty(), "known already");
        feeds.taken.remove(&7);
        assert_eq!(feeds.choose(&json!([publisher(9)]), &view).len(), 2);
    }
}
