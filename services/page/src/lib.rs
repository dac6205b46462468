#![doc = include_str!("../README.md")]

mod asset;
mod frame;
mod notice;
mod text;

pub use asset::Asset;
pub use frame::{Frame, HEADERS, Place};
pub use notice::{sign_in, unavailable};
pub use text::{Text, cut};
