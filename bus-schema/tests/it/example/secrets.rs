//! The examples of facts and calls about secrets.

use bus_schema::{
    Deployment as D, NotReleased, Release, ReleasedSecret, Renew, SecretReleased, SecretRenewed,
    SecretRevoked, SecretSigned,
};

use super::{Example, content, digest, event};
use crate::fixture::{id, name, task};

pub(super) fn events() -> Vec<Example> {
    let signed = SecretSigned {
        name: name("smtp.password"),
        version: 2,
        terms: digest(18),
        sealed: content(3),
        inner: Some(digest(19)),
    };
    let revoked = SecretRevoked {
        name: name("smtp.password"),
        version: 2,
    };
    let released = SecretReleased {
        action: id(4),
        name: name("smtp.password"),
        version: 2,
    };
    let renewed = SecretRenewed {
        action: id(4),
        name: name("smtp.password"),
        version: 2,
        sealed: content(20),
    };
    vec![
        event(D, signed),
        event(D, revoked),
        event(task(), released),
        event(task(), renewed),
    ]
}

/// A request for a secret, and its answer.
pub(crate) fn release() -> (Release, Result<ReleasedSecret, NotReleased>) {
    let question = Release {
        action: id(4),
        secret: name("smtp.password"),
    };
    let answer = ReleasedSecret {
        version: 2,
        sealed: vec![1, 2, 3],
    };
    (question, Ok(answer))
}

/// A refresh token that takes the place of a secret, and its answer.
pub(crate) fn renew() -> (Renew, Result<(), NotReleased>) {
    let question = Renew {
        action: id(4),
        secret: name("smtp.password"),
        version: 2,
        sealed: vec![1, 2, 3],
    };
    (question, Ok(()))
}
