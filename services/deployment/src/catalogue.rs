//! The tool catalogue that the owner signs: the newest one in the stream, and the signature of the next.

use actor::BusClient;
use bus_schema::{
    AuthorId, CatalogueFact, CatalogueSigned, Digest, Draft, PublicKey, Sealed, ToolName,
    public_key,
};
use contract::{Catalogue, Tool};

use crate::{Deployment, Error};

/// A signed catalogue.
#[derive(Debug)]
pub struct SignedCatalogue {
    /// Its version.
    pub version: u32,
    /// Its document: canonical JSON.
    pub document: Vec<u8>,
    /// The catalogue.
    pub catalogue: Catalogue,
}

/// Returns the newest catalogue that the owner signed.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] if the document was erased or is not valid.
pub async fn newest(bus: &BusClient, owner: PublicKey) -> Result<Option<SignedCatalogue>, Error> {
    let Some(CatalogueSigned { version, document }) = newest_fact(bus, owner).await? else {
        return Ok(None);
    };
    let unusable = |why: &str| {
        Error::Refused(format!(
            "version {version} of the catalogue cannot be used ({why}): sign another one with `contractual tool add FILE`"
        ))
    };
    let bytes = bus.get(AuthorId::Owner, &document).await?;
    let bytes = bytes.ok_or_else(|| unusable("its document was erased"))?;
    let catalogue =
        Catalogue::parse_signed(&bytes).map_err(|error| unusable(&error.to_string()))?;
    Ok(Some(SignedCatalogue {
        version,
        document: bytes,
        catalogue,
    }))
}

/// Returns a tool as the newest of the signed catalogues had it whose entry for it has this digest; none if there is none, or
/// its document was erased.
///
/// # Errors
/// The bus's error.
pub async fn recorded_tool(
    bus: &BusClient,
    owner: PublicKey,
    (name, digest): (&ToolName, Digest),
) -> Result<Option<Tool>, Error> {
    for (_, fact) in bus.owner_facts::<CatalogueFact>(owner).await?.iter().rev() {
        let CatalogueFact::CatalogueSigned(_, fact) = fact;
        let Some(bytes) = bus.get(AuthorId::Owner, &fact.document).await? else {
            continue;
        };
        let Ok(catalogue) = Catalogue::parse_signed(&bytes) else {
            continue;
        };
        let mut tools = catalogue.into_tools();
        let found = tools.find(|tool| tool.name() == name && tool.digest() == digest);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

async fn newest_fact(bus: &BusClient, owner: PublicKey) -> Result<Option<CatalogueSigned>, Error> {
    let mut newest = None;
    for (_, fact) in bus.owner_facts::<CatalogueFact>(owner).await? {
        let CatalogueFact::CatalogueSigned(_, fact) = fact;
        fact.replace(&mut newest);
    }
    Ok(newest)
}

/// Signs a document as version `version`; returns the place of the signature in the stream.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] if another signature of this version came first.
pub async fn sign(
    of: &Deployment,
    bus: &BusClient,
    version: u32,
    document: &[u8],
) -> Result<u64, Error> {
    let key = of.owner_key()?;
    let owner = public_key(&key);
    let mut pen = bus.owner(key).await?;
    let sealed = Sealed::new(of.clock.salt(), document)
        .map_err(|error| Error::Document(error.to_string()))?;
    let wanted = sealed.content();
    let fact = CatalogueSigned {
        version,
        document: wanted,
    };
    let draft = Draft::of(bus_schema::Deployment, fact).with(sealed);
    let seq = pen.say(bus, draft).await?;
    bus.flush().await;
    let newest = newest_fact(bus, owner).await?;
    if newest.is_none_or(|newest| newest.document != wanted) {
        return Err(Error::Refused(format!(
            "another command signed version {version} of the catalogue first: run this one again"
        )));
    }
    Ok(seq)
}

/// Signs the catalogue in the deployment's folder, if the owner has never signed one. Does nothing without the owner's
/// key or the file.
///
/// # Errors
/// The bus's error, or [`Error::Document`] if the file is no catalogue.
pub(crate) async fn sign_first(of: &Deployment) -> Result<bool, Error> {
    let path = of.dir.catalogue();
    if !of.dir.owner_key().exists() || !path.exists() {
        return Ok(false);
    }
    let bus = of.bus().await?;
    if newest_fact(&bus, public_key(&of.owner_key()?))
        .await?
        .is_some()
    {
        return Ok(false);
    }
    let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let (document, _) = Catalogue::document(&text)
        .map_err(|error| Error::Document(format!("{}: {error}", path.display())))?;
    sign(of, &bus, 1, &document).await?;
    Ok(true)
}
