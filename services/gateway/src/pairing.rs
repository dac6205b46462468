//! The pairing of devices: the owner announces, a device offers its key, and both see what became of it.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::StatusCode,
};
use bus_schema::{PairingId, Statement};
use data_encoding::BASE64;

use crate::{
    access,
    api::{AnnouncePairing, OfferDevice, OwnerWord, PairingShown, PairingState},
    app_state::AppState,
    owner_words::SignedBody,
    pairings::{NotPaired, PAIRING_MS_MAX, Pairing},
    problem::{Kind, Problem},
    request::read,
};

/// Opens or ends a pairing, by the owner's statement.
pub(crate) async fn announce(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<PairingShown>), Problem> {
    let asked: AnnouncePairing = read(&app, request).await?;
    let Statement::Pairing(said) = access::statement(&app, &asked.signed)? else {
        let next = "the statement is not a pairing; sign a pairing";
        return Err(Problem::new(Kind::Malformed, next));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    let now = app.clock.wall();
    if said.until > now.plus_ms(PAIRING_MS_MAX) {
        let next = "a pairing is open for at most 10 minutes; sign an earlier end";
        return Err(Problem::new(Kind::Malformed, next));
    }
    app.pairings
        .announce(said.pairing, said.until, now)
        .map_err(refused)?;
    let pairing = app.pairings.get(said.pairing);
    let pairing = pairing.ok_or_else(|| refused(NotPaired::Unknown))?;
    Ok((StatusCode::ACCEPTED, Json(describe(&app, &pairing))))
}

/// Takes the key of the one device of a pairing.
pub(crate) async fn offer(
    State(app): State<Arc<AppState>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<(StatusCode, Json<PairingShown>), Problem> {
    let id = pairing_id(id)?;
    let asked: OfferDevice = read(&app, request).await?;
    let now = app.clock.wall();
    let pairing = app.pairings.offer(id, asked.key, now).map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(describe(&app, &pairing))))
}

/// Shows a pairing to whoever knows its id.
pub(crate) async fn shown(
    State(app): State<Arc<AppState>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<PairingShown>, Problem> {
    let pairing = app.pairings.get(pairing_id(id)?);
    let pairing = pairing.ok_or_else(|| refused(NotPaired::Unknown))?;
    Ok(Json(describe(&app, &pairing)))
}

fn describe(app: &AppState, pairing: &Pairing) -> PairingShown {
    let record = app.shared_record.read();
    let endorsed = pairing
        .key
        .and_then(|key| record.words.endorsement(&key.signs()));
    let state = match (endorsed, pairing.key, pairing.is_open(app.clock.wall())) {
        (Some(_), _, _) => PairingState::Paired,
        (None, _, false) => PairingState::Ended,
        (None, Some(_), true) => PairingState::Offered,
        (None, None, true) => PairingState::Open,
    };
    PairingShown {
        state,
        key: pairing.key,
        endorsement: endorsed.map(OwnerWord::from),
    }
}

impl From<&SignedBody> for OwnerWord {
    fn from(word: &SignedBody) -> Self {
        Self {
            body: BASE64.encode(&word.body),
            signature: word.signature.clone(),
        }
    }
}

fn pairing_id(path: Result<Path<String>, PathRejection>) -> Result<PairingId, Problem> {
    let id = path.ok().and_then(|Path(text)| text.parse().ok());
    let next = "the id of a pairing has 32 lower-case hexadecimal digits; send one";
    id.ok_or_else(|| Problem::new(Kind::Malformed, next))
}

fn refused(why: NotPaired) -> Problem {
    match why {
        NotPaired::Unknown => Problem::new(
            Kind::NoPairing,
            "run `contractual pair` again, and open the address that it prints",
        ),
        NotPaired::Taken => Problem::new(
            Kind::Used,
            "another device has offered itself; run `contractual pair` again",
        ),
        NotPaired::Full => Problem::new(
            Kind::Busy,
            "five pairings are open; end one of them, or wait ten minutes",
        ),
    }
}
