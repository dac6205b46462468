//! The certificate authority of one installation and the certificates of its services.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;
use zeroize::Zeroizing;

/// The validity of a new authority in days: ten years.
pub const CA_DAYS: u32 = 3653;
/// The maximum validity of a service certificate in days.
pub const LEAF_DAYS_MAX: u32 = 825;
/// The maximum number of DNS names in one certificate.
pub const DNS_NAMES_MAX: usize = 16;

const CA_NAME: &str = "Contractual CA";
const TRUST_DOMAIN: &str = "spiffe://contractual.local";
const END: &str = "-----END CERTIFICATE-----";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The time before now from which certificates are valid, for machines whose clocks are behind.
const BACKDATE: Duration = Duration::from_secs(60 * 60);
const DNS_NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A certificate authority with its private key: P-256, which nats-server, rustls and OpenSSL all accept.
///
/// It signs service certificates only (path length 0). PEM texts of keys are erased on drop; the
/// copies inside the cryptographic library are not, so an authority is held no longer than needed.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    key_pem: Zeroizing<String>,
    cert_pem: String,
}

/// The certificate and private key of one service.
pub struct Leaf {
    /// The certificate.
    pub cert_pem: String,
    /// The private key, PKCS#8.
    pub key_pem: Zeroizing<String>,
}

/// The side of a connection that a certificate is for. A stolen certificate is invalid for the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The connecting side.
    Client,
    /// The listening side; its certificate also names `localhost` and 127.0.0.1.
    Server,
}

/// The reason why a certificate could not be created or accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An invalid name of a service.
    #[error(
        "`{name}` cannot name a service; use 1 to 63 of a-z, 0-9 and -, and begin with a letter"
    )]
    Name {
        /// The given name.
        name: String,
    },
    /// An invalid DNS name.
    #[error("`{name}` is not a DNS name; use labels of a-z, 0-9 and - joined by dots")]
    DnsName {
        /// The given name.
        name: String,
    },
    /// Too many DNS names.
    #[error("a certificate takes at most {DNS_NAMES_MAX} DNS names; leave some out")]
    DnsNames,
    /// A validity outside the limits.
    #[error(
        "a service certificate is valid for 1 to {LEAF_DAYS_MAX} days; choose a number in between"
    )]
    Days,
    /// The certificate would outlive its authority.
    #[error(
        "the certificate would outlive its authority; ask for fewer days or make a new authority"
    )]
    OutlivesCa,
    /// The clock of this machine is outside the valid range.
    #[error("the clock of this machine cannot be right; set it and try again")]
    Clock,
    /// Not a certificate.
    #[error("this is not an X.509 certificate in PEM; restore the file")]
    NotACertificate,
    /// Not a P-256 private key in PKCS#8.
    #[error("this is not a P-256 private key in PKCS#8 PEM; restore the file")]
    NotAKey,
    /// Not an authority.
    #[error("this certificate is not an authority of Contractual; restore the right file")]
    NotACa,
    /// Key and certificate do not belong together.
    #[error(
        "this private key does not belong to this certificate; restore the pair that was made together"
    )]
    Mismatch,
    /// Signed by another authority.
    #[error("this certificate was not signed by this authority; issue a new one")]
    NotSignedHere,
    /// Not yet valid, or expired.
    #[error("this certificate is not valid at this time; check the clock, then issue a new one")]
    NotValidNow,
    /// The operating system gave no random bytes.
    #[error("cannot get random bytes for a certificate; try again when the system has started")]
    Random(#[source] rustix::io::Errno),
    /// The library refused the request.
    #[error("cannot make the certificate; report this")]
    Make(#[source] rcgen::Error),
}

impl Ca {
    /// Creates a new authority, valid from an hour before `now` for [`CA_DAYS`].
    ///
    /// # Errors
    /// [`Error::Clock`], [`Error::Random`], [`Error::Make`].
    pub fn create(now: SystemTime) -> Result<Self, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::Make)?;
        let mut params = params(CA_NAME, now, CA_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key_pem = Zeroizing::new(key.serialize_pem());
        let cert_pem = params.self_signed(&key).map_err(Error::Make)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            key_pem,
            cert_pem,
        })
    }

    /// Loads an existing authority, if the pair belongs together and is valid at `now`. Of several certificates in
    /// one text it takes the one that belongs to the key; the others are only trusted.
    ///
    /// # Errors
    /// [`Error::NotAKey`], [`Error::NotACertificate`], [`Error::Mismatch`], [`Error::NotACa`],
    /// [`Error::NotSignedHere`], [`Error::NotValidNow`].
    pub fn load(key_pem: &str, cert_pem: &str, now: SystemTime) -> Result<Self, Error> {
        let key = parse_key(key_pem)?;
        let own = certificates(cert_pem).find(|text| {
            let pem = pem(text);
            let found = pem.as_ref().ok().and_then(|pem| parse(pem).ok());
            found.is_some_and(|cert| refuse_other_key(&cert, &key).is_ok())
        });
        let cert_pem = own.unwrap_or(cert_pem);
        check_ca(&key, cert_pem, now)?;
        let issuer =
            Issuer::from_ca_cert_pem(cert_pem, key).map_err(|_parse| Error::NotACertificate)?;
        let key_pem = Zeroizing::new(key_pem.to_owned());
        Ok(Self {
            issuer,
            key_pem,
            cert_pem: cert_pem.to_owned(),
        })
    }

    /// The authority's certificate, which every party of the installation trusts.
    #[must_use]
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The authority's private key, PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Issues a new key and certificate to the service `name` for one side of a connection.
    ///
    /// The certificate names `hosts`, which are DNS names or addresses, for a server the loopback, and
    /// `spiffe://contractual.local/<name>`. It is valid from an hour before `now` until
    /// `days` days after it.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::DnsName`], [`Error::DnsNames`], [`Error::Days`],
    /// [`Error::OutlivesCa`], [`Error::Clock`], [`Error::Random`], [`Error::Make`].
    pub fn issue(
        &self,
        name: &str,
        hosts: &[&str],
        side: Side,
        days: u32,
        now: SystemTime,
    ) -> Result<Leaf, Error> {
        if !is_label(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(Error::Name {
                name: name.chars().take(80).collect(),
            });
        }
        if !(1..=LEAF_DAYS_MAX).contains(&days) {
            return Err(Error::Days);
        }
        let mut params = params(name, now, days)?;
        if params.not_after > not_after(&self.cert_pem)? {
            return Err(Error::OutlivesCa);
        }
        params.subject_alt_names = alternative_names(name, hosts, side)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match side {
            Side::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Side::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::Make)?;
        let cert_pem = params
            .signed_by(&key, &self.issuer)
            .map_err(Error::Make)?
            .pem();
        Ok(Leaf {
            cert_pem,
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// Checks that an existing pair was issued here, belongs together and is valid at `now`;
    /// returns its expiry.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check(
        &self,
        key_pem: &str,
        cert_pem: &str,
        now: SystemTime,
    ) -> Result<SystemTime, Error> {
        check(&self.cert_pem, key_pem, cert_pem, now)
    }
}

/// Checks that a pair was issued by the authority with the certificate `ca_pem`, belongs together and is valid at
/// `now`; returns its expiry.
///
/// # Errors
/// [`Error::NotAKey`], [`Error::NotACertificate`], [`Error::Mismatch`],
/// [`Error::NotSignedHere`], [`Error::NotValidNow`].
pub fn check(
    ca_pem: &str,
    key_pem: &str,
    cert_pem: &str,
    now: SystemTime,
) -> Result<SystemTime, Error> {
    let key = parse_key(key_pem)?;
    let (leaf, ca) = (pem(cert_pem)?, pem(ca_pem)?);
    let (leaf, ca) = (parse(&leaf)?, parse(&ca)?);
    refuse_other_key(&leaf, &key)?;
    leaf.verify_signature(Some(ca.public_key()))
        .map_err(|_bad| Error::NotSignedHere)?;
    refuse_out_of_date(&leaf, now)?;
    Ok(leaf.validity().not_after.to_datetime().into())
}

impl fmt::Debug for Ca {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ca")
            .field("cert_pem", &self.cert_pem)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Leaf")
            .field("cert_pem", &self.cert_pem)
            .finish_non_exhaustive()
    }
}

fn params(common_name: &str, now: SystemTime, days: u32) -> Result<CertificateParams, Error> {
    let (from, to) = now
        .checked_sub(BACKDATE)
        .zip(
            DAY.checked_mul(days)
                .and_then(|length| now.checked_add(length)),
        )
        .ok_or(Error::Clock)?;
    let mut params = CertificateParams::default();
    params.not_before = calendar(from)?;
    params.not_after = calendar(to)?;
    params.serial_number = Some(serial()?);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(params)
}

/// The certificates in a text, one after the other.
pub fn certificates(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split_inclusive(END);
    blocks
        .filter(|block| block.ends_with(END))
        .map(str::trim_start)
}

/// The start and the end of a certificate's validity.
///
/// # Errors
/// [`Error::NotACertificate`]
pub fn validity(cert_pem: &str) -> Result<(SystemTime, SystemTime), Error> {
    let pem = pem(cert_pem)?;
    let found = parse(&pem)?;
    let validity = found.validity();
    Ok((
        validity.not_before.to_datetime().into(),
        validity.not_after.to_datetime().into(),
    ))
}

/// The time in whole seconds; a certificate allows only 1970 to 9999.
fn calendar(at: SystemTime) -> Result<OffsetDateTime, Error> {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_before| Error::Clock)?;
    let seconds = i64::try_from(since.as_secs()).map_err(|_late| Error::Clock)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_late| Error::Clock)
}

/// Sixteen random octets as a positive number of full length (RFC 5280 allows twenty).
fn serial() -> Result<SerialNumber, Error> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(Error::Random)?;
    let [first, ..] = &mut bytes;
    *first = (*first & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn alternative_names(name: &str, hosts: &[&str], side: Side) -> Result<Vec<SanType>, Error> {
    if hosts.len() > DNS_NAMES_MAX {
        return Err(Error::DnsNames);
    }
    let mut names = Vec::with_capacity(hosts.len() + 3);
    let local: &[&str] = match side {
        Side::Server => &["localhost", "127.0.0.1"],
        Side::Client => &[],
    };
    for host in hosts.iter().chain(local) {
        let host = match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => dns_name(host)?,
        };
        if !names.contains(&host) {
            names.push(host);
        }
    }
    let uri = format!("{TRUST_DOMAIN}/{name}");
    names.push(SanType::URI(uri.as_str().try_into().map_err(Error::Make)?));
    Ok(names)
}

fn dns_name(host: &str) -> Result<SanType, Error> {
    if host.len() > DNS_NAME_BYTES_MAX || !host.split('.').all(is_label) {
        return Err(Error::DnsName {
            name: host.chars().take(80).collect(),
        });
    }
    Ok(SanType::DnsName(host.try_into().map_err(Error::Make)?))
}

fn is_label(text: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn check_ca(key: &KeyPair, cert_pem: &str, now: SystemTime) -> Result<(), Error> {
    let pem = pem(cert_pem)?;
    let cert = parse(&pem)?;
    refuse_other_key(&cert, key)?;
    let is_ca = match cert.basic_constraints() {
        Ok(Some(found)) => found.value.ca && found.value.path_len_constraint == Some(0),
        Ok(None) | Err(_) => false,
    };
    if !is_ca {
        return Err(Error::NotACa);
    }
    cert.verify_signature(None)
        .map_err(|_bad| Error::NotSignedHere)?;
    refuse_out_of_date(&cert, now)
}

fn parse_key(key_pem: &str) -> Result<KeyPair, Error> {
    KeyPair::from_pkcs8_pem_and_sign_algo(key_pem, &PKCS_ECDSA_P256_SHA256)
        .map_err(|_not_secret| Error::NotAKey)
}

fn pem(text: &str) -> Result<Pem, Error> {
    match x509_parser::pem::parse_x509_pem(text.as_bytes()) {
        Ok((rest, pem)) if rest.trim_ascii().is_empty() && pem.label == "CERTIFICATE" => Ok(pem),
        Ok(_) | Err(_) => Err(Error::NotACertificate),
    }
}

fn parse(pem: &Pem) -> Result<X509Certificate<'_>, Error> {
    pem.parse_x509().map_err(|_bad| Error::NotACertificate)
}

fn not_after(cert_pem: &str) -> Result<OffsetDateTime, Error> {
    Ok(parse(&pem(cert_pem)?)?.validity().not_after.to_datetime())
}

fn refuse_other_key(cert: &X509Certificate<'_>, key: &KeyPair) -> Result<(), Error> {
    if cert.public_key().raw == key.subject_public_key_info() {
        Ok(())
    } else {
        Err(Error::Mismatch)
    }
}

fn refuse_out_of_date(cert: &X509Certificate<'_>, now: SystemTime) -> Result<(), Error> {
    let now = calendar(now)?;
    let validity = cert.validity();
    let valid = validity.not_before.to_datetime() <= now && now <= validity.not_after.to_datetime();
    if valid {
        Ok(())
    } else {
        Err(Error::NotValidNow)
    }
}
