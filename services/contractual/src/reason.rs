//! Outcomes and refusal codes in words, each code with the next step of the person who reads it.

use bus_schema::{RefusalCode, TaskOutcome};

/// Returns the reason and the next step.
pub(crate) fn in_words(code: RefusalCode) -> String {
    match next_step(code) {
        Some(next) => format!("{code}; {next}"),
        None => code.to_string(),
    }
}

/// Returns the reason for not admitting a task, and the next step.
pub(crate) fn not_admitted(code: RefusalCode) -> String {
    if code == RefusalCode::Limit {
        let reason = "the contract admits no more tasks in this time";
        return format!("{reason}; write a higher `tasks` in its limits and sign it");
    }
    in_words(code)
}

const fn next_step(code: RefusalCode) -> Option<&'static str> {
    Some(match code {
        RefusalCode::NoContract => {
            "sign it with `contractual contract sign`, see `contractual contract list`"
        }
        RefusalCode::InvalidContract => "`contractual contract check` names its errors",
        RefusalCode::EnvelopeDiffers | RefusalCode::OutsideEnvelope => {
            "sign the contract again with the program and the catalogue of this deployment"
        }
        RefusalCode::NotNewer => "write a higher `version` and sign it",
        RefusalCode::Suspended => {
            "`contractual contract list` shows the difference; sign it again if you want it"
        }
        RefusalCode::Expired => "write a later `expires` and sign it",
        RefusalCode::BadStatement => "submit it again with the owner's key",
        RefusalCode::Reused => "submit it again, with a new id",
        RefusalCode::Tool => {
            "compare the tool catalogue with the contract, and sign the contract again"
        }
        RefusalCode::NoCatalogue => "`contractual tool add` signs one",
        RefusalCode::ApprovalExpired => "propose it again to ask again",
        RefusalCode::Halted => "`contractual resume` lifts the halt",
        RefusalCode::TooLate => {
            "check the load and the clock of this machine with `contractual doctor`"
        }
        RefusalCode::NoCage => "`contractual health runner` names the missing kernel feature",
        RefusalCode::ApproverUnknown => "approve with a key of the role that the contract names",
        RefusalCode::DeviceRevoked | RefusalCode::DeviceExpired => {
            "pair the device again with `contractual pair`"
        }
        RefusalCode::DeviceUnverified => {
            "approve with a device that was paired with `contractual pair --passkey`"
        }
        RefusalCode::DeviceRole => {
            "approve with another device, or pair this one again with `--role approver`"
        }
        RefusalCode::ApprovalOtherAction
        | RefusalCode::ApprovalDiffers
        | RefusalCode::ApprovalOtherContract
        | RefusalCode::ApprovalUsed
        | RefusalCode::ApprovalNotOpen => "see `contractual approvals list`",
        RefusalCode::Limit => {
            "raise it in the contract and sign it again, or wait for the next period"
        }
        RefusalCode::Denied | RefusalCode::NotAllowed => {
            "`contractual contract explain` shows what each rule says of the call"
        }
        RefusalCode::Slots => {
            "`contractual contract show` names the slots; fill them in with `--set <slot>=<value>`"
        }
        RefusalCode::NoJob | RefusalCode::NoRun => "see `contractual job show`",
        RefusalCode::InvalidJob => {
            "sign the job again with `contractual job add`, for the contract that is in force"
        }
        RefusalCode::JobTool => {
            "write the risk of the tool into the catalogue, or run the playbook as a person"
        }
        RefusalCode::Arguments => "compare them with the tool's `input_schema` in the catalogue",
        RefusalCode::Cancelled | RefusalCode::NotOpen | RefusalCode::SaidNo => return None,
    })
}

/// The outcome of a task as a word.
pub(crate) const fn outcome(outcome: TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Succeeded => "succeeded",
        TaskOutcome::Failed => "failed",
        TaskOutcome::Cancelled => "cancelled",
    }
}
