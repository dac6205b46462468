//! Matches paths against glob patterns.

/// Matches in time pattern × text: `reach[i]` is true if the pattern so far can match `text[..i]`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reach = vec![false; text.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    let mut rest = pattern.chars().peekable();
    while let Some(sign) = rest.next() {
        let deep = sign == '*' && rest.next_if_eq(&'*').is_some();
        let mut next = vec![false; reach.len()];
        let mut carried = false;
        for (at, slot) in next.iter_mut().enumerate() {
            let here = reach.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1).and_then(|i| text.get(i)).copied();
            if sign == '*' {
                carried = here || (carried && (deep || before != Some('/')));
                *slot = carried;
            } else if let (Some(letter), Some(i)) = (before, at.checked_sub(1)) {
                let fits = if sign == '?' {
                    letter != '/'
                } else {
                    letter == sign
                };
                *slot = fits && reach.get(i).copied().unwrap_or(false);
            }
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}
