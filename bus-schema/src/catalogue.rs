//! The rule by which one signed catalogue replaces another.

use crate::CatalogueSigned;

impl CatalogueSigned {
    /// Puts it in place of `newest` if its version is higher, and returns true if it did. Any other one changes nothing,
    /// so nobody brings an older catalogue back by repeating it.
    pub fn replace(self, newest: &mut Option<Self>) -> bool {
        let is_newer = newest
            .as_ref()
            .is_none_or(|newest| self.version > newest.version);
        if is_newer {
            *newest = Some(self);
        }
        is_newer
    }
}
