//! Compares two texts line by line.

/// Most pairs of lines that are compared; in larger texts, all lines between the common ends count as changed.
const PAIRS_MAX: usize = 4 << 20;

/// The lines that are in only one text, in order: `- ` lines of `old`, `+ ` lines of `new`.
pub(super) fn changed(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let start = old.iter().zip(&new).take_while(same).count();
    let (old, new) = (tail(&old, start), tail(&new, start));
    let end = old.iter().rev().zip(new.iter().rev());
    let end = end.take_while(same).count();
    let (old, new) = (front(old, end), front(new, end));
    let kept = if old.len().saturating_mul(new.len()) <= PAIRS_MAX {
        common(old, new)
    } else {
        Vec::new()
    };
    let mut lines = Vec::new();
    let (mut from_old, mut from_new) = (old.iter().enumerate(), new.iter().enumerate());
    for (left, right) in kept.into_iter().chain([(old.len(), new.len())]) {
        for (_, line) in from_old.by_ref().take_while(|(at, _)| *at < left) {
            lines.push(format!("- {line}"));
        }
        for (_, line) in from_new.by_ref().take_while(|(at, _)| *at < right) {
            lines.push(format!("+ {line}"));
        }
    }
    lines
}

fn tail<'a, 't>(lines: &'a [&'t str], from: usize) -> &'a [&'t str] {
    lines.get(from..).unwrap_or_default()
}

fn front<'a, 't>(lines: &'a [&'t str], without: usize) -> &'a [&'t str] {
    let end = lines.len().saturating_sub(without);
    lines.get(..end).unwrap_or_default()
}

/// The places of a longest common sequence of lines.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    // Of each pair of places: how long a common sequence starts there.
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    let at = |longest: &[u32], left: usize, right: usize| {
        longest.get(left * width + right).copied().unwrap_or(0)
    };
    for (left, a) in old.iter().enumerate().rev() {
        for (right, b) in new.iter().enumerate().rev() {
            let length = if a == b {
                at(&longest, left + 1, right + 1) + 1
            } else {
                at(&longest, left + 1, right).max(at(&longest, left, right + 1))
            };
            if let Some(place) = longest.get_mut(left * width + right) {
                *place = length;
            }
        }
    }
    let (mut left, mut right) = (0, 0);
    let mut found = Vec::new();
    while let (Some(a), Some(b)) = (old.get(left), new.get(right)) {
        if a == b {
            found.push((left, right));
            (left, right) = (left + 1, right + 1);
        } else if at(&longest, left + 1, right) >= at(&longest, left, right + 1) {
            left += 1;
        } else {
            right += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn lines_of_one_text_alone_are_named_in_order() {
        let (old, new) = ("a\nb\nc\nd\n", "a\nx\nc\nd\ne\n");
        assert_eq!(changed(old, new), ["- b", "+ x", "+ e"]);
        assert_eq!(changed(old, old), [""; 0]);
        assert_eq!(changed("", "a\n"), ["+ a"]);
        assert_eq!(changed("a\nb", ""), ["- a", "- b"]);
        let moved = changed("a\nb\nc\n", "b\nc\na\n");
        assert_eq!(moved, ["- a", "+ a"]);
    }
}
