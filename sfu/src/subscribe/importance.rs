//! Which videos get room first. docs/CONGESTION.md tells why.

/// What the importance of one video to one subscriber comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reasons {
    /// What the subscriber gave it, 1 the highest; 0: none.
    pub priority: u8,
    /// It is a shared screen.
    pub screen: bool,
    /// The highest layer that is wanted and sent.
    pub top: u8,
    /// Its publisher speaks, or just did.
    pub speaks: bool,
}

impl Reasons {
    /// A number that is higher for what is more important. The subscriber's own order comes first; any priority is above none. Then
    /// comes a shared screen, which all look at, then what is shown large, and of those who are shown alike, who speaks.
    pub fn importance(self) -> u16 {
        let rank = if self.priority == 0 { 0 } else { 256 - u16::from(self.priority) };
        let usual = if self.screen { 6 } else { 2 * u16::from(self.top.min(2)) + u16::from(self.speaks) };
        rank * 8 + usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Rung;
    use crate::subscribe::allocate::{Demand, allocate};
    use smallvec::SmallVec;

    fn camera(priority: u8) -> Reasons {
        Reasons { priority, top: 1, ..Reasons::default() }
    }

    #[test]
    fn a_subscribers_own_order_comes_before_the_usual_one_and_that_decides_among_equals() {
        let screen = |priority| Reasons { screen: true, ..camera(priority) };
        let speaks = |priority| Reasons { speaks: true, ..camera(priority) };
        let large = |priority| Reasons { top: 2, ..camera(priority) };
        let order =
            [camera(1), screen(2), camera(2), large(255), camera(255), screen(0), large(0), speaks(0), camera(0)];
        let importance = order.map(Reasons::importance);
        assert!(importance.windows(2).all(|two| two[0] > two[1]), "{importance:?}");
    }

    #[test]
    fn what_a_subscriber_puts_first_keeps_its_picture_and_gets_the_better_one() {
        let layers = |budget, reasons: &[Reasons]| {
            let rung = |(layer, rate)| Rung { layer, rate, pictures: u8::MAX, ..Rung::default() };
            let rungs: SmallVec<_> = (0..).zip([150_000, 500_000]).map(rung).collect();
            let demand = |c: &Reasons| Demand { importance: c.importance(), rungs: rungs.clone(), ..Demand::default() };
            allocate(Some(budget), 0, &reasons.iter().map(demand).collect::<Vec<_>>()).rungs
        };
        let speaker = Reasons { speaks: true, ..camera(0) };
        assert_eq!(layers(200_000, &[speaker, camera(2), camera(1)]), [None, None, Some(0)]);
        assert_eq!(layers(600_000, &[speaker, camera(2), camera(1)]), [None, Some(0), Some(0)]);
        assert_eq!(layers(1_200_000, &[speaker, camera(2), camera(1)]), [Some(0), Some(0), Some(1)]);
        assert_eq!(layers(1_200_000, &[speaker, camera(0), camera(0)]), [Some(1), Some(0), Some(0)]);
    }
}
