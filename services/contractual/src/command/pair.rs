//! `pair`: pairs a browser or a phone. The person carries a code from the device to this terminal, so that nobody in
//! between can put a key of their own in its place.

use std::time::Duration;

use bus_schema::{
    DEVICE_DAYS_MAX, DeviceEndorsed, DeviceId, DeviceKey, DeviceName, DeviceRole, PairingId,
    PublicKey, Time, public_key,
};
use clap::Args;
use deployment::{Deployment, devices};
use gateway::{
    api::{PairingShown, PairingState},
    client::Client,
};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde_json::json;
use signer::CheckCode;

use crate::{Error, Output, prompt};

/// The validity of a pairing: 10 minutes.
const PAIRING_MS: u64 = 10 * 60_000;
/// The interval between two looks at the gateway.
const LOOK: Duration = Duration::from_millis(500);
/// The number of codes that may be typed.
const CODES_MAX: u8 = 3;
const DAY_MS: u64 = 86_400_000;

/// `pair …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual pair --role approver --name Phone\n\n\
    Open the printed address on the device; it shows a code of eight characters. Type the code here. Three wrong codes end \
    the pairing, and so do ten minutes.\n\n\
    Exit codes: 0 paired · 1 not paired, or the gateway or the bus does not answer"
)]
pub(crate) struct Arguments {
    /// The rights of the device: viewer (reads), approver (reads, and answers questions for you) or owner.
    #[arg(long, value_parser = role)]
    role: DeviceRole,
    /// The name of the device, such as Phone.
    #[arg(long)]
    name: DeviceName,
    /// The number of days until the device has to be paired again, at most 400.
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u16).range(1..=i64::from(DEVICE_DAYS_MAX)))]
    days: u16,
    /// Pair a passkey: the device asks for a finger, a face or its PIN before each signature.
    #[arg(long)]
    passkey: bool,
}

/// One attempt to pair.
struct PairingAttempt<'a> {
    client: Client,
    out: &'a Output,
    owner: PublicKey,
    id: PairingId,
    until: Time,
    passkey: bool,
    deployment: &'a Deployment,
}

impl Arguments {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let owner = public_key(&deployment.owner_key()?);
        self.check_name(deployment, owner).await?;
        let signer = self.signer(deployment)?;
        let clock = &deployment.clock;
        let attempt = PairingAttempt {
            client: crate::client(deployment)?,
            out,
            owner,
            id: pairing_id(deployment),
            until: clock.wall().plus_ms(PAIRING_MS),
            passkey: self.passkey,
            deployment,
        };
        attempt.client.announce(attempt.id, attempt.until).await?;
        let kind = if self.passkey { "&k=passkey" } else { "" };
        let address = format!("{signer}/#p={}&o={owner}{kind}", attempt.id);
        out.line_for_people(&format!(
            "open this address on the device, or point its camera at the picture:\n\n  {address}\n{}",
            picture(&address)
        ));
        let confirmed = attempt.confirmed().await;
        let key = match confirmed {
            Ok(key) => key,
            Err(error) => {
                // The gateway also ends it by itself, later.
                attempt
                    .client
                    .announce(attempt.id, Time::default())
                    .await
                    .ok();
                return Err(error);
            }
        };
        self.endorse(&attempt, key).await
    }

    async fn check_name(&self, deployment: &Deployment, owner: PublicKey) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let all = devices::read(&bus, owner, deployment.file.deployment).await?;
        let now = deployment.clock.wall();
        let mut valid = all.iter().filter(|one| one.check(now).is_ok());
        if valid.any(|one| one.endorsed.name == self.name) {
            return Err(Error::Refused(format!(
                "a device is called {:?} already: choose another --name, or revoke it with `contractual device revoke`",
                self.name.as_str()
            )));
        }
        Ok(())
    }

    async fn endorse(&self, attempt: &PairingAttempt<'_>, key: DeviceKey) -> Result<(), Error> {
        let PairingAttempt {
            deployment, out, ..
        } = attempt;
        let clock = &deployment.clock;
        let fact = DeviceEndorsed {
            deployment: deployment.file.deployment,
            device: DeviceId::new(clock.uuid()),
            key,
            role: self.role,
            name: self.name.clone(),
            expires: clock.wall().plus_ms(u64::from(self.days) * DAY_MS),
        };
        let said = json!({
            "device": fact.device, "name": fact.name, "role": fact.role, "expires": fact.expires,
        });
        let (name, role, expires) = (fact.name.clone(), fact.role.name(), fact.expires);
        let bus = deployment.bus().await?;
        let seq = devices::endorse(deployment, &bus, fact).await?;
        out.print(&said, || {
            format!("{name} is paired as {role} until {expires} (message {seq})")
        });
        Ok(())
    }
}

impl PairingAttempt<'_> {
    /// Returns the key of the device whose code the person typed.
    async fn confirmed(&self) -> Result<DeviceKey, Error> {
        let key = self.offered().await?;
        if self.passkey && !matches!(key, DeviceKey::Passkey(_)) {
            return Err(refused(
                "the device offered a key without a passkey; open the whole address, in a browser with passkeys",
            ));
        }
        let wanted = CheckCode::of(&self.owner, &key.signs(), &self.id);
        for left in (0..CODES_MAX).rev() {
            let question = "  type the code that the device shows: ".to_owned();
            let typed = prompt::value(question).await;
            let typed = typed.ok_or_else(|| refused("no code was typed"))?;
            if self.deployment.clock.wall() > self.until {
                return Err(refused("ten minutes have passed"));
            }
            match typed.parse::<CheckCode>() {
                Ok(code) if code == wanted => return Ok(key),
                Ok(_) if left > 0 => {
                    prompt::tell(
                        "this is not the code of the device that the gateway names; type it again",
                    );
                }
                Err(error) if left > 0 => prompt::tell(&error.to_string()),
                Ok(_) | Err(_) => {}
            }
        }
        Err(refused(
            "three wrong codes were typed: if you typed what the device shows, somebody is between the device and this terminal",
        ))
    }

    /// Waits for the one device of the pairing.
    async fn offered(&self) -> Result<DeviceKey, Error> {
        loop {
            let PairingShown { state, key, .. } = self.client.pairing(self.id).await?;
            match (state, key) {
                (PairingState::Offered, Some(key)) => {
                    self.out.line_for_people("a device has opened the address");
                    return Ok(key);
                }
                (PairingState::Open | PairingState::Offered, _) => {}
                (PairingState::Paired | PairingState::Ended, _) => {
                    return Err(refused("ten minutes have passed"));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn refused(why: &str) -> Error {
    Error::Refused(format!(
        "{why}; nothing was signed. Run `contractual pair` again for a new attempt"
    ))
}

impl Arguments {
    /// Returns the signer's origin.
    fn signer(&self, deployment: &Deployment) -> Result<String, Error> {
        let file = &deployment.file;
        let missing = || match file.containers {
            Some(_) => format!(
                "the deployment has no name in the tailnet, by which a device finds the signer: run \
             `sudo deploy/stack start {} --tailnet-name NAME`, such as contractual.tail1234.ts.net",
                deployment.dir.path().display()
            ),
            None => format!(
                "the deployment has no signer: write `signer = \"127.0.0.1:8481\"` into {}, \
             `signers = [\"http://127.0.0.1:8481\"]` into the table `service` of {}, run `contractual init`, and start it again",
                deployment.dir.deployment().display(),
                deployment
                    .dir
                    .config(bus_schema::AuthorId::Gateway)
                    .display()
            ),
        };
        let origin = if self.passkey {
            file.passkey_origin()
        } else {
            file.signer_origin()
        };
        origin.ok_or_else(|| Error::Refused(missing()))
    }
}

/// The address as a QR code of half blocks; empty if it is too long for one.
fn picture(address: &str) -> String {
    let code = QrCode::with_error_correction_level(address, EcLevel::L);
    code.map_or_else(
        |_| String::new(),
        |code| format!("\n{}\n", code.render::<Dense1x2>().build()),
    )
}

fn pairing_id(deployment: &Deployment) -> PairingId {
    let random = *deployment.clock.salt().as_bytes();
    let (id, _) = random.split_first_chunk().unwrap_or((&[0; 16], &[]));
    PairingId::new(*id)
}

fn role(text: &str) -> Result<DeviceRole, String> {
    let all = [DeviceRole::Viewer, DeviceRole::Approver, DeviceRole::Owner];
    let found = all.into_iter().find(|role| role.name() == text);
    found.ok_or_else(|| "name viewer, approver or owner".to_owned())
}
