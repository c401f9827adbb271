//! WHIP to publish (RFC 9725) and WHEP to receive: an offer goes in, the answer comes back, `DELETE` leaves.
//!
//! There is no renegotiation: a receiver offers a section for each track that it hopes for, and what is published later isn't
//! seen. Scenarios in which publishers come first (`broadcast`, `webinar`) are the fit.

use super::http::{Ask, ask};
use super::tracks::Tracks;
use super::{Attendance, Common, Dialect, Life, Link, Seat};
use crate::Error;
use crate::sdp::{self, Description, Flow, Section};
use hyper::Method;
use ramai_sfu::params::ExtensionMap;

/// Sections of each kind in a receiver's offer, at most.
const MAX_SECTIONS: usize = 64;

/// See the module.
pub struct Whip {
    /// What all share.
    pub common: Common,
}

impl Dialect for Whip {
    fn attend(&self, seat: Seat, life: Life) -> Attendance {
        let common = self.common.clone();
        Box::pin(async move {
            let token = common.signer.mint(&seat.room, &seat.identity, &seat.name)?;
            let mut legs = Vec::new();
            if let Some(tracks) = Tracks::of(&seat) {
                let leg = Leg::open(&common, &seat, life.begun, token.clone(), "/whip", &tracks.sections()).await?;
                leg.link.port.publish(tracks.source(leg.extensions))?;
                legs.push(leg);
            }
            let (ears, eyes) = (seat.view.audible.min(MAX_SECTIONS), seat.view.visible.min(MAX_SECTIONS));
            if ears + eyes > 0 {
                let receive = |video| Section { video, flow: Flow::Receive };
                // Who publishes too is a second participant here: the protocols know nothing of each other.
                let identity = format!("{}-view", seat.identity);
                let token = common.signer.mint(&seat.room, &identity, &seat.name)?;
                let sections: Vec<Section> = (0..ears + eyes).map(|n| receive(n >= ears)).collect();
                legs.push(Leg::open(&common, &seat, life.begun, token, "/whep", &sections).await?);
            }
            for leg in &mut legs {
                leg.link.wait().await?;
            }
            // Whoever doesn't wait for it any more has ended the run.
            let _ = life.joined.send(());
            // Sent or dropped: both mean to leave.
            let _ = life.leave.await;
            for leg in legs {
                leg.link.port.leaving()?;
                let mut delete = Ask::new(Method::DELETE, &leg.resource);
                delete.token = Some(&leg.token);
                ask(&common.server, delete).await?;
            }
            Ok(())
        })
    }
}

/// One HTTP resource and its peer connection.
struct Leg {
    link: Link,
    resource: String,
    /// Those that the server took.
    extensions: ExtensionMap,
    token: String,
}

impl Leg {
    async fn open(
        common: &Common,
        seat: &Seat,
        begun: u64,
        token: String,
        endpoint: &str,
        sections: &[Section],
    ) -> Result<Self, Error> {
        let mut link = Link::new(&common.engine);
        let offer = sdp::offer(sections, &link.port.local, &common.engine.identity.fingerprint, 1);
        let mut post = Ask::new(Method::POST, endpoint);
        (post.token, post.body) = (Some(token.as_str()), Some(("application/sdp", offer)));
        let answer = ask(&common.server, post).await?;
        if answer.status != 201 {
            return Err(Error::Refused(answer.status, answer.body));
        }
        let location = answer.location.ok_or_else(|| Error::Protocol("201 without Location".into()))?;
        // Absolute or relative; only the path matters, the host is the same.
        let resource = match location.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/").to_owned(),
            None => location,
        };
        let theirs = Description::parse(&answer.body)?;
        link.apply(common, seat, begun, &theirs)?;
        Ok(Self { link, resource, extensions: theirs.extensions, token })
    }
}
