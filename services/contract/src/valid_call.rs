//! A call whose arguments are valid, with its effect.

use crate::bound::matching::CallContext;
use crate::catalogue::{Effect, Tool};

/// A call with valid arguments.
pub(crate) struct ValidCall<'a> {
    pub(crate) tool: &'a Tool,
    pub(crate) context: CallContext<'a>,
    pub(crate) effect: Effect,
    /// True if the call lets something leave.
    pub(crate) outward: bool,
    /// True if the call acts outside, or is hard to undo: people are asked about it after untrusted data.
    pub(crate) guarded: bool,
}

impl<'a> ValidCall<'a> {
    pub(crate) fn new(tool: &'a Tool, context: CallContext<'a>) -> Self {
        let effect = tool.effect_of(&context);
        Self {
            tool,
            context,
            effect,
            outward: effect.leaves(),
            guarded: match effect {
                Effect::Outward => true,
                Effect::Write => tool.is_hard_to_undo(),
                Effect::Read | Effect::Tell => false,
            },
        }
    }
}
