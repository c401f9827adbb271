//! Stories of those who stay for hours: they can come back at any time, with a token that says what they may by now.

use super::*;

impl World {
    /// Tokens that a client got since the last call.
    fn tokens_of(&mut self, conn: ConnId) -> Vec<Claims> {
        let (mine, others) = std::mem::take(&mut self.tokens).into_iter().partition(|(to, _)| *to == conn);
        self.tokens = others;
        let mine: Vec<(ConnId, Claims)> = mine;
        mine.into_iter().map(|(_, claims)| claims).collect()
    }
}

#[test]
fn who_stays_for_hours_always_has_a_token_that_is_good() {
    let mut world = World::new();
    let mut wish = wish("ana", Dialect::Single);
    wish.claims.iss = "key".into();
    wish.claims.video.can_publish_sources = vec!["microphone".into()];
    let ana = world.connect(wish.clone());
    let mut last = None;
    for quarter in 0..(4 * 3600 * 3) {
        world.wait(Duration::from_millis(250));
        for claims in world.tokens_of(ana) {
            assert_eq!((claims.iss.as_str(), claims.sub.as_str(), claims.name.as_str()), ("key", "ana", "ANA"));
            assert_eq!(claims.video.can_publish_sources, ["microphone"]);
            assert!(claims.attributes.is_empty(), "what the server says of her is not hers to bring");
            last = Some(quarter);
        }
        let age = Duration::from_millis(250) * (quarter - last.unwrap());
        assert!(age < crate::session::token::LIFETIME, "the token ran out");
    }
    // Her line breaks after three hours: she is back, and has another at once.
    world.up(ana);
    let sid = find!(world.heard(ana), Join)[0].participant.clone().unwrap().sid;
    world.rooms.handle_closed(world.now, ana, Closing::Cut);
    let back = world.connect(Join { resume: Some(sid), ..wish });
    world.wait(Duration::from_millis(250));
    assert_eq!(world.tokens_of(back).len(), 1);
}

#[test]
fn what_changes_is_in_the_next_token() {
    let mut world = World::new();
    let mut wish = wish("ana", Dialect::Single);
    wish.claims.video.can_update_own_metadata = Some(true);
    let ana = world.connect(wish);
    world.wait(Duration::from_secs(1));
    world.tokens_of(ana);
    let attributes = [("seat".to_owned(), "7".to_owned())].into();
    let update = proto::UpdateParticipantMetadata { name: "Ana B".into(), attributes, ..Default::default() };
    world.ask(ana, Request::UpdateMetadata(update));
    world.wait(Duration::from_millis(250));
    let claims = world.tokens_of(ana).remove(0);
    assert_eq!((claims.name.as_str(), claims.attributes["seat"].as_str()), ("Ana B", "7"));
}
