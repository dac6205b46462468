#![doc = include_str!("../README.md")]

mod asset;
mod frame;
mod notice;
mod text;

pub use asset::Asset;
pub use frame::{Frame, HEADERS, Place, SIGN_OUT};
pub use notice::{not_signed_in, sign_in, signed_out, unavailable};
pub use text::{Text, cut};
