//! Builds the request of a call: what is judged here is what is sent.

use serde_json::{Map, Value};

use super::args_error::HttpArgsError;
use super::body;
use super::entry::{HttpTool, Param, ParamValue, PathName};
use super::method::Method;
use super::texts::{is_header_value, percent_encoded};
use crate::reach::StrictUrl;

/// A request, complete but for the headers that the executor writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: StrictUrl,
    /// Names and values, each name once.
    pub headers: Vec<(String, String)>,
    /// The body, JSON.
    pub body: Option<Vec<u8>>,
}

impl HttpTool {
    /// Builds the request of a call.
    ///
    /// # Errors
    /// Returns the first argument that cannot be sent.
    pub fn request(&self, args: &Map<String, Value>) -> Result<HttpRequest, HttpArgsError> {
        let counted = self.pages().and_then(|pages| pages.next.counted(0));
        self.request_with(args, counted)
    }

    /// Builds the request of a call with a further parameter of the query.
    pub(super) fn request_with(
        &self,
        args: &Map<String, Value>,
        further: Option<(&str, String)>,
    ) -> Result<HttpRequest, HttpArgsError> {
        let sent = self.sent();
        if let Some(name) = args.keys().find(|name| !sent.contains_key(name.as_str())) {
            return Err(HttpArgsError::Unknown(name.clone()));
        }
        let mut url = format!("https://{}", self.endpoint);
        for name in &self.path {
            url.push('/');
            match name {
                PathName::Literal(text) => url.push_str(text),
                PathName::Value(name) => url.push_str(&path_name(name, args)?),
            }
        }
        for (name, value) in filled(&self.query, args)?.into_iter().chain(further) {
            add_parameter(&mut url, name, &value);
        }
        let mut headers = Vec::new();
        for (name, value) in filled(&self.headers, args)? {
            if !is_header_value(&value) {
                return Err(HttpArgsError::Header(name.to_owned()));
            }
            headers.push((name.to_owned(), value));
        }
        Ok(HttpRequest {
            method: self.method,
            url: StrictUrl::new(&url)?,
            headers,
            body: self.filled_body(args)?,
        })
    }

    fn filled_body(&self, args: &Map<String, Value>) -> Result<Option<Vec<u8>>, HttpArgsError> {
        let Some(template) = &self.body else {
            return Ok(None);
        };
        let bytes = body::fill(template, args)?.to_string().into_bytes();
        let max = self.limits().request_bytes_max;
        if u64::try_from(bytes.len()).is_ok_and(|len| len <= max) {
            return Ok(Some(bytes));
        }
        let bytes = bytes.len();
        Err(HttpArgsError::Large { bytes, max })
    }
}

/// Adds a parameter to the query of a URL.
pub(super) fn add_parameter(url: &mut String, name: &str, value: &str) {
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str(&percent_encoded(name));
    url.push('=');
    url.push_str(&percent_encoded(value));
}

/// Returns the parameters with their values, without those whose argument is missing.
fn filled<'t>(
    params: &'t [Param],
    args: &Map<String, Value>,
) -> Result<Vec<(&'t str, String)>, HttpArgsError> {
    let mut filled = Vec::new();
    for param in params {
        let value = match &param.value {
            ParamValue::Literal(text) => text.clone(),
            ParamValue::Value(name) => match args.get(name) {
                Some(value) => text(name, value)?,
                None => continue,
            },
        };
        filled.push((param.name.as_str(), value));
    }
    Ok(filled)
}

fn path_name(name: &str, args: &Map<String, Value>) -> Result<String, HttpArgsError> {
    let value = args.get(name);
    let value = value.ok_or_else(|| HttpArgsError::Missing(name.to_owned()))?;
    let value = text(name, value)?;
    let is_odd = |c: char| c.is_control() || "/\\%;?#".contains(c);
    if matches!(value.as_str(), "" | "." | "..") || value.contains(is_odd) {
        return Err(HttpArgsError::PathName(name.to_owned()));
    }
    Ok(percent_encoded(&value))
}

fn text(name: &str, value: &Value) -> Result<String, HttpArgsError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(yes) => Ok(yes.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(HttpArgsError::Type(name.to_owned()))
        }
    }
}
