//! The texts of repairs that errors name.

macro_rules! put_the_stream_back {
    () => {
        "stop everything and put the newest copy of the stream (`nats/data`) back, with `audit/log` and \
         `audit/anchor` left as they are; without a copy, put all three back from one backup. \
         `contractual audit verify` checks whether they agree"
    };
}

/// The repair for a stream that does not match the log.
pub(crate) const PUT_THE_STREAM_BACK: &str = put_the_stream_back!();
/// The repair for a log that does not match its checkpoints.
pub(crate) const PUT_THE_LOG_BACK: &str = "stop audit and put `audit/log` and `audit/anchor` back from one backup: \
     audit takes later entries from the stream; without a backup, continue in another deployment \
     (`contractual init`). `contractual audit verify` checks whether log and stream agree";
/// The next step if it is unknown which of the two was changed.
pub(crate) const FIND_OUT: &str =
    "run `contractual audit verify` to see which of the two was changed and what to put back";
/// The problem of a stream that ends before the log, and its repair.
pub(crate) const SHORTER: &str = concat!(
    "the stream is shorter than the log: it was restored or replaced; ",
    put_the_stream_back!()
);
