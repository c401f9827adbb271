//! The client protocol: protobuf over a WebSocket, v1 over one peer connection that the client offers, v0 over two.

use super::roster::Roster;
use super::tracks::Tracks;
use super::{Attendance, Common, Dialect, Life, Link, PATIENCE, Seat};
use crate::Error;
use crate::media::source::LayerParams;
use crate::sdp::{self, Description, Flow, Section};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message as Response;
use livekit_protocol::{
    AddTrackRequest, ClientInfo, ConnectionSettings, JoinRequest, LeaveRequest, SessionDescription, SignalRequest,
    SignalResponse, SubscribedQualityUpdate, TrackSource, TrackType, UpdateSubscription, UpdateTrackSettings,
    VideoLayer, VideoQuality, WrappedJoinRequest,
};
use prost::Message as _;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Empty sections of each kind in a first offer, as the SDKs have them.
const FIRST_SECTIONS: usize = 3;
/// Between pings; servers ask for 5 s.
const PING: Duration = Duration::from_secs(5);

/// The server has so long to answer a farewell.
const GOODBYE: Duration = Duration::from_secs(1);

/// See the module.
pub struct Livekit {
    /// What all share.
    pub common: Common,
    /// v0.
    pub dual: bool,
}

impl Dialect for Livekit {
    fn attend(&self, seat: Seat, life: Life) -> Attendance {
        let (common, dual) = (self.common.clone(), self.dual);
        Box::pin(async move {
            let mut session = Session::connect(common, seat, life.begun, dual).await?;
            session.stay(life.joined, life.leave).await
        })
    }
}

struct Session {
    common: Common,
    seat: Seat,
    begun: u64,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// v1: the only connection. v0: the publisher's.
    up: Link,
    /// v0: the subscriber's.
    down: Option<Link>,
    tracks: Option<Tracks>,
    sections: Vec<Section>,
    offer_id: u32,
    offering: bool,
    offer_again: bool,
    published: usize,
    /// Which layers of the camera are watched; empty until the server says.
    switched: Vec<bool>,
    roster: Roster,
}

impl Session {
    async fn connect(common: Common, seat: Seat, begun: u64, dual: bool) -> Result<Self, Error> {
        let up = Link::new(&common.engine);
        let down = dual.then(|| Link::new(&common.engine));
        let tracks = Tracks::of(&seat);
        let mut sections: Vec<Section> = tracks.iter().flat_map(Tracks::sections).collect();
        let token = common.signer.mint(&seat.room, &seat.identity, &seat.name)?;
        let path = if dual {
            format!("/rtc?access_token={token}&protocol=16&sdk=rust&version=0.1.0&auto_subscribe=0&adaptive_stream=0")
        } else {
            // As SDKs do, also where nothing is wanted yet: who only looks on is connected.
            if seat.view.wants_any() || tracks.is_none() {
                for n in 0..2 * FIRST_SECTIONS {
                    sections.push(Section { video: n >= FIRST_SECTIONS, flow: Flow::Receive });
                }
            }
            let text = sdp::offer(&sections, &up.port.local, &common.engine.identity.fingerprint, 1);
            let request = JoinRequest {
                client_info: Some(ClientInfo { protocol: 16, version: "0.1.0".into(), ..Default::default() }),
                connection_settings: Some(ConnectionSettings { auto_subscribe: false, ..Default::default() }),
                add_track_requests: tracks.iter().flat_map(add_requests).collect(),
                publisher_offer: Some(description("offer", text, 1)),
                ..Default::default()
            };
            let wrapped = WrappedJoinRequest { compression: 0, join_request: request.encode_to_vec() };
            let packed = URL_SAFE_NO_PAD.encode(wrapped.encode_to_vec());
            format!("/rtc/v1?access_token={token}&join_request={packed}")
        };
        let socket = open(&format!("ws://{}{path}", common.server)).await?;
        let roster = Roster::new(seat.view, &seat.identity);
        let offering = !dual;
        Ok(Self {
            common,
            seat,
            begun,
            socket,
            up,
            down,
            tracks,
            sections,
            offer_id: 1,
            offering,
            offer_again: false,
            published: 0,
            switched: Vec::new(),
            roster,
        })
    }

    async fn stay(&mut self, joined: oneshot::Sender<()>, mut leave: oneshot::Receiver<()>) -> Result<(), Error> {
        let mut joined = Some(joined);
        let mut ping = tokio::time::interval(PING);
        let late = tokio::time::sleep(PATIENCE);
        tokio::pin!(late);
        loop {
            if joined.is_some() && self.is_in() {
                // Whoever doesn't wait for it any more has ended the run.
                let _ = joined.take().map(|joined| joined.send(()));
            }
            tokio::select! {
                _ = &mut leave => {
                    self.say_goodbye().await;
                    return Ok(());
                }
                () = &mut late, if joined.is_some() => return Err(Error::Late("the join")),
                opened = self.up.wait() => opened?,
                opened = wait(&mut self.down) => opened?,
                _ = ping.tick() => self.send(Request::Ping(0)).await?,
                frame = self.socket.next() => match frame {
                    Some(Ok(Message::Binary(bytes))) => {
                        let response = SignalResponse::decode(bytes).map_err(|e| Error::Protocol(e.to_string()))?;
                        if let Some(message) = response.message {
                            self.hear(message).await?;
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let why = frame.map_or_else(String::new, |f| format!(": {} {}", f.code, f.reason));
                        return Err(Error::Signaling(format!("the server closed the WebSocket{why}")));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(Error::Signaling(error.to_string())),
                    None => return Err(Error::Signaling("the WebSocket ended".into())),
                },
            }
        }
    }

    /// Leaves, and waits until the server closes: media ends only then, as with a client that leaves in order.
    async fn say_goodbye(&mut self) {
        for link in std::iter::once(&self.up).chain(&self.down) {
            // An engine that has ended counts nothing any more.
            let _ = link.port.leaving();
        }
        // The server may have closed already: gone is gone.
        let _ = self.send(Request::Leave(LeaveRequest::default())).await;
        let closed = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let _ = tokio::time::timeout(GOODBYE, closed).await;
    }

    /// Connected, and all its tracks taken.
    fn is_in(&self) -> bool {
        let published = self.published == self.tracks.as_ref().map_or(0, Tracks::count);
        let up = self.up.is_open || (self.down.is_some() && self.tracks.is_none());
        published && up && self.down.as_ref().is_none_or(|down| down.is_open)
    }

    async fn hear(&mut self, message: Response) -> Result<(), Error> {
        match message {
            Response::Join(join) => {
                if self.down.is_some()
                    && let Some(tracks) = &self.tracks
                {
                    for request in add_requests(tracks) {
                        self.send(Request::AddTrack(request)).await?;
                    }
                    self.offer().await?;
                }
                self.meet(&join.other_participants).await
            }
            Response::Update(update) => self.meet(&update.participants).await,
            Response::Answer(answer) => {
                let theirs = Description::parse(&answer.sdp)?;
                self.up.apply(&self.common, &self.seat, self.begun, &theirs)?;
                if answer.id != self.offer_id {
                    return Err(Error::Protocol(format!("answer {} to offer {}", answer.id, self.offer_id)));
                }
                self.offering = false;
                if let (1, Some(tracks)) = (answer.id, &self.tracks) {
                    self.up.port.publish(tracks.source(theirs.extensions))?;
                    self.up.port.switch_layers(self.switched.clone())?;
                }
                if self.offer_again { self.offer().await } else { Ok(()) }
            }
            Response::Offer(offer) => {
                let theirs = Description::parse(&offer.sdp)?;
                let Some(down) = &mut self.down else { return Err(Error::Protocol("an offer in v1".into())) };
                down.apply(&self.common, &self.seat, self.begun, &theirs)?;
                let sdp = theirs.answer(&down.port.local, &self.common.engine.identity.fingerprint, offer.id);
                self.send(Request::Answer(description("answer", sdp, offer.id))).await
            }
            Response::MediaSectionsRequirement(more) => {
                let receive = |video| Section { video, flow: Flow::Receive };
                self.sections.extend((0..more.num_audios).map(|_| receive(false)));
                self.sections.extend((0..more.num_videos).map(|_| receive(true)));
                self.offer().await
            }
            Response::TrackPublished(_) => {
                self.published += 1;
                Ok(())
            }
            Response::SubscribedQualityUpdate(update) if self.common.dynacast => self.switch_layers(&update),
            Response::RequestResponse(refused) if refused.reason != 0 => {
                Err(Error::Protocol(format!("a request was refused: {}", refused.message)))
            }
            Response::Leave(leave) => Err(Error::Signaling(format!("the server asked to leave: {:?}", leave.reason()))),
            _ => Ok(()),
        }
    }

    /// Sends what somebody watches (dynacast). Spatial layers within one encoding all stay.
    fn switch_layers(&mut self, update: &SubscribedQualityUpdate) -> Result<(), Error> {
        let Some(tracks) = &self.tracks else { return Ok(()) };
        // One camera each, so one codec.
        let Some(codec) = update.subscribed_codecs.first() else { return Ok(()) };
        let on = |quality: &VideoQuality| codec.qualities.iter().any(|q| q.quality() == *quality && q.enabled);
        let any = codec.qualities.iter().any(|quality| quality.enabled);
        let layers = tracks.layers().len();
        self.switched = if layers > 1 { qualities(layers).iter().map(on).collect() } else { vec![any] };
        self.up.port.switch_layers(self.switched.clone())
    }

    /// Subscribes to what is new among the others' tracks, as far as the view goes.
    async fn meet(&mut self, participants: &[livekit_protocol::ParticipantInfo]) -> Result<(), Error> {
        let changes = self.roster.update(participants);
        if changes.add.is_empty() {
            return Ok(());
        }
        let sids = |video: Option<bool>| -> Vec<String> {
            let wanted = changes.add.iter().filter(|(_, v)| video.is_none_or(|wanted| wanted == *v));
            wanted.map(|(sid, _)| sid.clone()).collect()
        };
        let request = UpdateSubscription { track_sids: sids(None), subscribe: true, ..Default::default() };
        self.send(Request::Subscription(request)).await?;
        let video = sids(Some(true));
        if self.seat.view.quality < 2 && !video.is_empty() {
            let quality = if self.seat.view.quality == 0 { VideoQuality::Low } else { VideoQuality::Medium };
            let request = UpdateTrackSettings { track_sids: video, quality: quality.into(), ..Default::default() };
            self.send(Request::TrackSetting(request)).await?;
        }
        Ok(())
    }

    /// Offers now, or when the offer on its way was answered.
    async fn offer(&mut self) -> Result<(), Error> {
        self.offer_again = self.offering;
        if self.offering {
            return Ok(());
        }
        self.offering = true;
        // In v0 the first offer is number 1; in v1 that travelled with the join.
        if self.down.is_none() || self.up.opened.is_some() || self.up.is_open {
            self.offer_id += 1;
        }
        let fingerprint = &self.common.engine.identity.fingerprint;
        let text = sdp::offer(&self.sections, &self.up.port.local, fingerprint, self.offer_id);
        self.send(Request::Offer(description("offer", text, self.offer_id))).await
    }

    async fn send(&mut self, message: Request) -> Result<(), Error> {
        let bytes = SignalRequest { message: Some(message) }.encode_to_vec();
        self.socket.send(Message::Binary(bytes.into())).await.map_err(|e| Error::Signaling(e.to_string()))
    }
}

/// [`Link::wait`] where there may be no link.
async fn wait(link: &mut Option<Link>) -> Result<(), Error> {
    match link {
        Some(link) => link.wait().await,
        None => std::future::pending().await,
    }
}

async fn open(url: &str) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
    let connecting = tokio_tungstenite::connect_async(url);
    match tokio::time::timeout(PATIENCE, connecting).await.map_err(|_| Error::Late("the WebSocket"))? {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
            let words = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
            match (response.status().as_u16(), after) {
                (503, Some(seconds)) => Err(Error::Busy { after: Duration::from_secs(seconds), words }),
                (status, _) => Err(Error::Refused(status, words)),
            }
        }
        Err(error) => Err(Error::Signaling(error.to_string())),
    }
}

/// What the protocol calls so many simulcast layers, lowest first.
fn qualities(layers: usize) -> &'static [VideoQuality] {
    match layers {
        1 => &[VideoQuality::High],
        2 => &[VideoQuality::Low, VideoQuality::High],
        _ => &[VideoQuality::Low, VideoQuality::Medium, VideoQuality::High],
    }
}

fn add_requests(tracks: &Tracks) -> Vec<AddTrackRequest> {
    let [microphone, camera] = tracks.ids();
    let microphone = microphone.map(|cid| AddTrackRequest {
        cid,
        name: "microphone".into(),
        r#type: TrackType::Audio.into(),
        source: TrackSource::Microphone.into(),
        disable_red: true,
        ..Default::default()
    });
    let largest = tracks.layers().last().map_or((0, 0), |l| (l.shape.width, l.shape.height));
    // Spatial layers of one encoding are announced as simulcast's are, but for the rid.
    let spatial = tracks.mode().spatial();
    let announced = |layer: &LayerParams, place: usize| VideoLayer {
        width: u32::from(layer.shape.width >> (spatial - 1 - place)),
        height: u32::from(layer.shape.height >> (spatial - 1 - place)),
        bitrate: layer.shape.bitrate >> (2 * (spatial - 1 - place)),
        rid: layer.shape.rid.unwrap_or_default().to_owned(),
        ..Default::default()
    };
    let layers: Vec<VideoLayer> =
        tracks.layers().iter().flat_map(|l| (0..spatial).map(move |place| announced(l, place))).collect();
    let layers = layers.iter().zip(qualities(layers.len()));
    let layers = layers.map(|(layer, quality)| VideoLayer { quality: (*quality).into(), ..layer.clone() });
    let camera = camera.map(|cid| AddTrackRequest {
        cid,
        name: "camera".into(),
        r#type: TrackType::Video.into(),
        source: TrackSource::Camera.into(),
        width: largest.0.into(),
        height: largest.1.into(),
        layers: layers.collect(),
        ..Default::default()
    });
    microphone.into_iter().chain(camera).collect()
}

fn description(r#type: &str, sdp: String, id: u32) -> SessionDescription {
    SessionDescription { r#type: r#type.into(), sdp, id, ..Default::default() }
}
