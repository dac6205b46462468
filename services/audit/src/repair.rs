//! The repairs that errors name.

macro_rules! put_the_stream_back {
    () => {
        "stop everything and put the newest copy of the stream (`nats/data`) back, with `audit/log` and \
         `audit/anchor` left as they are; where there is none, put all three back from one backup. \
         `contractual audit verify` says whether they agree"
    };
}

/// What to do where the stream is not the one of the log.
pub(crate) const PUT_THE_STREAM_BACK: &str = put_the_stream_back!();
/// What to do where the log is not what its checkpoints signed.
pub(crate) const PUT_THE_LOG_BACK: &str = "stop audit and put `audit/log` and `audit/anchor` back from one backup: what came since, audit takes from \
     the stream; where there is none, go on in another deployment (`contractual init`). \
     `contractual audit verify` says whether log and stream agree";
/// What to do where it cannot be said which of both was changed.
pub(crate) const FIND_OUT: &str =
    "run `contractual audit verify`: it says which of both was changed, and what to put back";
/// The stream that was read ends before the log does.
pub(crate) const SHORTER: &str = concat!(
    "the stream is shorter than the log: it was restored or replaced; ",
    put_the_stream_back!()
);
