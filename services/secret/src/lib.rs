#![doc = include_str!("../README.md")]

mod hmac_rule;
mod injection;
mod key;
mod mac;
mod outgoing;
mod scrub;
mod seal;
mod signed_seal;
mod sigv4;
mod spelling;
mod terms;
mod token;
mod value;
mod vault;

pub use hmac_rule::HmacRule;
pub use injection::Injection;
pub use key::{NotASealingKey, SealingKey};
pub use outgoing::{Injected, Outgoing, Place, Unfit};
pub use scrub::Scrubber;
pub use seal::{InnerSeal, NotOpened, OuterSeal, Recipients, seal};
pub use signed_seal::{FiledSeal, SignedSeal};
pub use sigv4::SigV4;
pub use spelling::InjectionError;
pub use terms::{SecretTerms, TermsError};
pub use token::{TokenGrant, TokenSource, TokenSourceError};
pub use value::{SHORT_BYTES, SecretValue, VALUE_BYTES_MAX, ValueError};
pub use vault::{VAULT_AUTH, VAULT_MOUNT, VaultPlace, VaultSource, VaultSourceError, VaultVersion};
