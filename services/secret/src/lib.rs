#![doc = include_str!("../README.md")]

mod injection;
mod key;
mod scrub;
mod seal;
mod terms;
mod value;

pub use injection::{Injected, Injection, InjectionError, Place, Unfit};
pub use key::{NotASealingKey, SealingKey};
pub use scrub::Scrubber;
pub use seal::{InnerSeal, NotOpened, OuterSeal, Recipients, seal};
pub use terms::{SecretTerms, TermsError};
pub use value::{SHORT_BYTES, SecretValue, VALUE_BYTES_MAX, ValueError};
