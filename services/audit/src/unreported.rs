//! Counts junk between two reports of it.

use std::collections::{BTreeMap, VecDeque};

use bus_schema::{Junk, JunkFound};
use serde::{Deserialize, Serialize};

/// Most messages that are remembered one by one; older ones are only counted.
const RECENT_MAX: usize = 1_024;

/// The junk that no `junk.found` speaks of yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unreported {
    /// Everything up to here is reported.
    reported: u64,
    counted: Option<JunkFound>,
    recent: VecDeque<(u64, Junk)>,
}

impl Unreported {
    /// Takes in one message.
    pub(crate) fn found(&mut self, seq: u64, junk: Junk) {
        if seq <= self.reported {
            return;
        }
        if self.recent.len() == RECENT_MAX
            && let Some((seq, junk)) = self.recent.pop_front()
        {
            count(&mut self.counted, seq, junk);
        }
        self.recent.push_back((seq, junk));
    }

    /// Takes in a report.
    pub(crate) fn said(&mut self, report: &JunkFound) {
        self.reported = self.reported.max(report.to_seq);
        self.recent.retain(|(seq, _)| *seq > report.to_seq);
        let Some(mut counted) = self.counted.take().filter(|c| c.to_seq > report.to_seq) else {
            return;
        };
        // More came while the report was on its way than is remembered one by one.
        counted.from_seq = counted.from_seq.max(report.to_seq + 1);
        for (junk, said) in &report.counts {
            if let Some(left) = counted.counts.get_mut(junk) {
                *left = left.saturating_sub(*said);
            }
        }
        counted.counts.retain(|_, left| *left > 0);
        self.counted = Some(counted).filter(|left| !left.counts.is_empty());
    }

    /// What there is to report.
    pub(crate) fn report(&self) -> Option<JunkFound> {
        let mut report = self.counted.clone();
        for (seq, junk) in &self.recent {
            count(&mut report, *seq, *junk);
        }
        report
    }
}

fn count(report: &mut Option<JunkFound>, seq: u64, junk: Junk) {
    let report = report.get_or_insert_with(|| JunkFound {
        from_seq: seq,
        to_seq: seq,
        counts: BTreeMap::new(),
    });
    report.to_seq = seq;
    let counted = report.counts.entry(junk).or_default();
    *counted = counted.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::{RECENT_MAX, Unreported};
    use bus_schema::Junk;

    #[test]
    fn junk_that_came_while_a_report_was_on_its_way_is_in_the_next_one() {
        let mut unreported = Unreported::default();
        unreported.found(3, Junk::Unsigned);
        unreported.found(4, Junk::Chain);
        let first = unreported.report().unwrap();
        unreported.found(9, Junk::Unsigned);
        unreported.said(&first);
        let second = unreported.report().unwrap();
        assert_eq!((first.from_seq, first.to_seq), (3, 4));
        assert_eq!((second.from_seq, second.to_seq), (9, 9));
        assert_eq!(second.counts, [(Junk::Unsigned, 1)].into());
    }

    #[test]
    fn a_flood_is_counted_exactly_once() {
        let mut unreported = Unreported::default();
        let many = u64::try_from(RECENT_MAX).unwrap() * 3;
        for seq in 1..=many {
            unreported.found(seq, Junk::Unsigned);
        }
        let first = unreported.report().unwrap();
        for seq in many + 1..=3 * many {
            unreported.found(seq, Junk::Unsigned);
        }
        unreported.said(&first);
        let second = unreported.report().unwrap();
        assert_eq!(u64::from(first.counts[&Junk::Unsigned]), many);
        assert_eq!(u64::from(second.counts[&Junk::Unsigned]), 2 * many);
        assert_eq!((second.from_seq, second.to_seq), (many + 1, 3 * many));
        unreported.said(&second);
        assert_eq!(unreported.report(), None);
    }
}
