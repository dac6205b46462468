//! The part of a page that differs from page to page.

use maud::Markup;
use page::Place;

/// The title, the place in the navigation and the main part of a page.
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) place: Place,
    pub(crate) main: Markup,
}

impl Page {
    /// A page with the name of its place.
    pub(crate) fn new(place: Place, main: Markup) -> Self {
        Self {
            title: place.name().to_owned(),
            place,
            main,
        }
    }
}
