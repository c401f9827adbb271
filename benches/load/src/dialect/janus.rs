//! Janus' videoroom plugin over its HTTP API: one session for each participant, one handle to publish and one to receive.
//!
//! The room must exist, with a number as its name; publishers are joined in one subscription by a handle of its own, updated when
//! others come and go. Janus answers in two steps: an acknowledgement at once, the event by a long poll.

use super::http::{Ask, ask};
use super::tracks::Tracks;
use super::{Attendance, Common, Dialect, Life, Link, PATIENCE, Seat};
use crate::Error;
use crate::sdp::{self, Description};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
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
        join["body"]["request"] = json!("joinandconfigure");
        join["jsep"] = json!({ "type": "offer", "sdp": offer });
    }
    session.say(&publisher_path, join).await?;
    let mut joined = Some(joined);
    let (mut feeds, mut down) = (BTreeSet::new(), None::<(u64, String, Link)>);
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
                let new: Vec<u64> =
                    data["publishers"].as_array().into_iter().flatten().filter_map(|p| p["id"].as_u64()).collect();
                let new: Vec<u64> = new
                    .into_iter()
                    .filter(|id| feeds.len() < seat.view.visible.max(seat.view.audible) && feeds.insert(*id))
                    .collect();
                if !new.is_empty() {
                    subscribe(common, session, room, &new, &mut down).await?;
                }
                for gone in [&data["unpublished"], &data["leaving"]] {
                    gone.as_u64().map(|id| feeds.remove(&id));
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

/// Asks for the tracks of publishers, on the handle for receiving, which the first time is made.
async fn subscribe(
    common: &Common,
    session: &Session,
    room: u64,
    feeds: &[u64],
    down: &mut Option<(u64, String, Link)>,
) -> Result<(), Error> {
    let streams: Vec<Value> = feeds.iter().map(|feed| json!({ "feed": feed })).collect();
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
