//! A call whose arguments are valid, with its effect.

use crate::bound::matching::CallContext;
use crate::catalogue::{Effect, Tool};

/// A call with valid arguments.
pub(crate) struct ValidCall<'a> {
    pub(crate) tool: &'a Tool,
    pub(crate) context: CallContext<'a>,
    pub(crate) effect: Effect,
    /// True if the call is outward.
    pub(crate) outward: bool,
    /// True if the call is hard to undo.
    pub(crate) lasting: bool,
}

impl<'a> ValidCall<'a> {
    pub(crate) fn new(tool: &'a Tool, context: CallContext<'a>) -> Self {
        let effect = tool.effect_of(&context);
        Self {
            tool,
            context,
            effect,
            outward: effect == Effect::Outward,
            lasting: effect == Effect::Write && tool.is_hard_to_undo(),
        }
    }
}
