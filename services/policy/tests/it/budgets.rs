//! Checks the sums of reserved, settled and released amounts against exact sums.

use bus_schema::{Counts, Money, RuleId};
use contract::{Allowance, Spent, Totals, Under};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Debug, Clone)]
enum Step {
    /// Reserves tokens, bytes and cents under one of two rules.
    Allowance(usize, [u64; 3]),
    /// Settles a reservation with the known usage.
    Settle(Index, [Option<u64>; 3]),
    Release(Index),
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..1_000_u64, 1 => (u64::MAX - 5)..=u64::MAX]
}

fn step() -> impl Strategy<Value = Step> {
    let known = || proptest::option::weighted(0.8, amount());
    prop_oneof![
        3 => (0..2_usize, [amount(), amount(), amount()]).prop_map(|(rule, of)| Step::Allowance(rule, of)),
        2 => (any::<Index>(), [known(), known(), known()]).prop_map(|(at, of)| Step::Settle(at, of)),
        1 => any::<Index>().prop_map(Step::Release),
    ]
}

fn rule(at: usize) -> RuleId {
    format!("r{at}").parse().unwrap()
}

fn euros(minor: u64) -> Money {
    let currency = "EUR".parse().unwrap();
    Money { currency, minor }
}

fn reserve([tokens, bytes_out, minor]: [u64; 3]) -> Allowance {
    Allowance {
        counts: Counts {
            tokens,
            bytes_out,
            spend: Some(euros(minor)),
            ..Counts::default()
        },
        ..Allowance::new(5, 5)
    }
}

/// A sum that never overflows and records an overflow of the counted one.
#[derive(Debug, Clone, Copy, Default)]
struct Exact {
    sum: u128,
    is_full: bool,
}

impl Exact {
    fn change(&mut self, less: u64, more: u64) {
        self.sum = self.sum - u128::from(less) + u128::from(more);
        self.is_full |= self.sum >= u128::from(u64::MAX);
    }

    fn counted(self) -> u64 {
        if self.is_full {
            u64::MAX
        } else {
            u64::try_from(self.sum).unwrap()
        }
    }
}

fn under(rule: &RuleId) -> Under<'_> {
    Under {
        rule,
        tool: "pay.refund",
    }
}

/// Tokens, bytes and cents in all, and cents by rule.
#[derive(Debug, Clone, Copy, Default)]
struct Books {
    all: [Exact; 3],
    by_rule: [Exact; 2],
}

impl Books {
    fn change(&mut self, rule: usize, less: [u64; 3], more: [u64; 3]) {
        for (sum, (less, more)) in self.all.iter_mut().zip(less.into_iter().zip(more)) {
            sum.change(less, more);
        }
        self.by_rule[rule].change(less[2], more[2]);
    }

    fn agrees(&self, used: &Totals) -> Result<(), TestCaseError> {
        let euro = euros(0).currency;
        let spent = used.spend.get(&euro).copied().unwrap_or_default();
        prop_assert_eq!(
            [used.tokens, used.bytes_out, spent],
            self.all.map(Exact::counted)
        );
        for (at, sum) in self.by_rule.iter().enumerate() {
            let of = used
                .by_rule
                .get(&rule(at))
                .and_then(|of| of.spend.get(&euro));
            prop_assert_eq!(of.copied().unwrap_or_default(), sum.counted());
        }
        Ok(())
    }
}

/// Returns the totals as a restarted process reads them.
fn restarted(kept: &Totals) -> Totals {
    serde_json::from_value(serde_json::to_value(kept).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_settled_counts_exactly_and_overflows_upward(steps in proptest::collection::vec(step(), 1..30)) {
        let (mut used, mut books, mut open) = (Totals::default(), Books::default(), Vec::new());
        for step in steps {
            match step {
                Step::Allowance(of, amounts) => {
                    used.reserve(under(&rule(of)), &reserve(amounts));
                    books.change(of, [0; 3], amounts);
                    open.push((of, amounts));
                }
                Step::Settle(at, known) if !open.is_empty() => {
                    let (of, amounts) = open.swap_remove(at.index(open.len()));
                    let [tokens, bytes_out, minor] = known;
                    let spent = Spent { wall_ms: 1, output_bytes: 1, tokens, bytes_out, spend: minor.map(euros) };
                    used.settle(under(&rule(of)), &reserve(amounts), &spent);
                    let [a, b, c] = amounts;
                    books.change(of, amounts, [tokens.unwrap_or(a), bytes_out.unwrap_or(b), minor.unwrap_or(c)]);
                }
                Step::Release(at) if !open.is_empty() => {
                    let (of, amounts) = open.swap_remove(at.index(open.len()));
                    used.release(under(&rule(of)), &reserve(amounts));
                    books.change(of, amounts, [0; 3]);
                }
                Step::Settle(..) | Step::Release(_) => {}
            }
            used = restarted(&used);
            books.agrees(&used)?;
        }
    }
}

#[test]
fn money_of_another_currency_than_was_reserved_comes_on_top() {
    let dollars = Money {
        currency: "USD".parse().unwrap(),
        minor: 7,
    };
    let mut used = Totals::default();
    let call = reserve([0, 0, 100]);
    used.reserve(under(&rule(0)), &call);
    let spent = Spent {
        wall_ms: 1,
        output_bytes: 1,
        tokens: None,
        bytes_out: None,
        spend: Some(dollars),
    };
    used.settle(under(&rule(0)), &call, &spent);
    for sums in [&used.spend, &used.by_rule[&rule(0)].spend] {
        assert_eq!(sums.get(&euros(0).currency), Some(&100));
        assert_eq!(sums.get(&dollars.currency), Some(&7));
    }
}
