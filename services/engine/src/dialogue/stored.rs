//! The requests to a model that are stored already, so that the next one has only what they lack.

use bus_schema::{AFTER, CONTENT_BYTES_MAX, Content, json};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::wire::Conversation;

/// The requests that were answered, from the last one back to one that was whole.
#[derive(Debug, Default)]
pub(super) struct StoredRequests {
    /// The arguments of the last one.
    last: Option<Content>,
    messages: Vec<Value>,
    tools: Option<Value>,
}

/// The arguments of a request that say the conversation.
#[derive(Debug)]
pub(super) struct RequestArgs<'a> {
    /// The arguments that come before these.
    after: Option<Content>,
    system: Option<&'a str>,
    messages: &'a [Value],
    tools: Option<&'a Value>,
}

impl<'a> RequestArgs<'a> {
    /// All of it.
    pub(super) fn whole(said: &'a Conversation) -> Self {
        Self {
            after: None,
            system: said.system.as_deref(),
            messages: &said.messages,
            tools: said.tools.as_ref(),
        }
    }

    /// The members of the arguments.
    pub(super) fn members(&self) -> Map<String, Value> {
        let mut args = Map::new();
        let messages = Value::Array(self.messages.to_vec());
        args.insert("messages".to_owned(), messages.to_string().into());
        args.extend(self.system.map(|text| ("system".to_owned(), text.into())));
        let tools = self.tools.map(|tools| tools.to_string().into());
        args.extend(tools.map(|tools| ("tools".to_owned(), tools)));
        let after = self
            .after
            .and_then(|after| serde_json::to_value(after).ok());
        args.extend(after.map(|after| (AFTER.to_owned(), after)));
        args
    }
}

impl StoredRequests {
    /// Adds the next request; none if its arguments were erased.
    pub(super) fn add(&mut self, content: Content, args: Option<&[u8]>) {
        let added = args.and_then(|args| self.added(args));
        *self = added.map_or_else(Self::default, |(messages, tools)| Self {
            last: Some(content),
            messages,
            tools,
        });
    }

    /// Returns the whole lists of the request with these arguments; none if it goes on from another one than the last.
    fn added(&mut self, args: &[u8]) -> Option<(Vec<Value>, Option<Value>)> {
        let read = |text: &str| json::parse(text.as_bytes(), CONTENT_BYTES_MAX).ok();
        let args = json::parse(args, CONTENT_BYTES_MAX).ok()?;
        let of = |name: &str| read(args.get(name)?.as_str()?);
        let Some(Value::Array(own)) = of("messages") else {
            return None;
        };
        match args.get(AFTER).map(Content::deserialize) {
            None => Some((own, of("tools"))),
            Some(Ok(after)) if Some(after) == self.last => {
                let mut messages = std::mem::take(&mut self.messages);
                messages.extend(own);
                Some((messages, self.tools.take()))
            }
            Some(Ok(_) | Err(_)) => None,
        }
    }

    /// Returns a request by what the stored ones lack; none if they are not the beginning of it.
    pub(super) fn after<'a>(&self, said: &'a Conversation) -> Option<RequestArgs<'a>> {
        let messages = said.messages.strip_prefix(self.messages.as_slice())?;
        let goes_on = self.tools == said.tools && !messages.is_empty();
        Some(RequestArgs {
            after: Some(self.last.filter(|_| goes_on)?),
            system: said.system.as_deref(),
            messages,
            tools: None,
        })
    }
}
