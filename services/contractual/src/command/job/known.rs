//! A named job on the record, and its document.

use actor::BusClient;
use bus_schema::{AuthorId, JobName, JobOnRecord, Jobs};
use job::Job;

use crate::Error;

/// Returns the newest version of a job that is not revoked.
pub(super) fn known<'j>(jobs: &'j Jobs, name: &JobName) -> Result<&'j JobOnRecord, Error> {
    let newest = jobs.get(name).filter(|newest| !newest.is_revoked);
    newest.ok_or_else(|| {
        Error::Refused(format!(
            "there is no job `{name}`: see `contractual job list`, or sign it with `contractual job add`"
        ))
    })
}

/// Returns the text of a job's document with what it says; none if it was erased or this program cannot read it.
pub(super) async fn document(
    bus: &BusClient,
    record: &JobOnRecord,
) -> Result<Option<(String, Job)>, Error> {
    let bytes = bus.get(AuthorId::Owner, &record.signed.document).await?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(text.and_then(|text| {
        let job = Job::parse(record.signed.job.as_str(), &text).ok()?;
        Some((text, job))
    }))
}

/// Returns the document of a job as [`document`] does.
///
/// # Errors
/// [`Error::Refused`] if there is none.
pub(super) async fn read(bus: &BusClient, record: &JobOnRecord) -> Result<(String, Job), Error> {
    document(bus, record).await?.ok_or_else(|| {
        Error::Refused(format!(
            "the document of the job `{}` was erased: sign it again with `contractual job add`",
            record.signed.job
        ))
    })
}
