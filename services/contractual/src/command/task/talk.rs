//! Follows a task for the person at the terminal: its events, its questions, Ctrl-C, and the person's further words.

use bus_schema::{Draft, TaskCancelled, TaskId};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use gateway::client::Followed;

use crate::{
    Error,
    command::{contract::amend, halt::append, up::Interrupt},
    follower::{Answer, Follower},
    live_words::{LiveWords, behind_margin},
    prompt,
    question::Question,
    questions::{Questions, Turn},
    timeline::Timeline,
};

const YOURS: &str = "you: ";
const CHOICE: &str =
    "  stop it, leave it running, go on, or say something to it? [stop/leave/go on/your words] ";
/// Most words of a line that may mean to stop, to leave or to go on, and is not sent.
const UNCLEAR_WORDS: usize = 3;

/// Follows a task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk<'a> {
    pub(crate) follower: Follower<'a>,
    pub(crate) task: TaskId,
    pub(crate) answer: Answer,
    /// True if it takes further words: it is a dialogue.
    pub(crate) spoken: bool,
    /// True if it waits for words after each answer.
    pub(crate) chat: bool,
}

/// A line that the person types.
struct Typing {
    /// The text before it.
    prompt: &'static str,
    line: BoxFuture<'static, Option<String>>,
}

impl Typing {
    fn new(prompt: &'static str) -> Self {
        let line = prompt::value(prompt.to_owned()).boxed();
        Self { prompt, line }
    }
}

impl Talk<'_> {
    /// Follows it to its end. Returns the questions that were approved without being asked.
    ///
    /// # Errors
    /// The gateway's error, and [`Error::Interrupted`] if the person leaves it.
    pub(crate) async fn follow(
        &self,
        timeline: &mut Timeline,
        interrupt: &mut Interrupt,
    ) -> Result<Vec<Question>, Error> {
        let client = self.follower.client;
        let mut events = std::pin::pin!(client.follow_live(self.task, self.follower.is_live()));
        let (mut questions, mut approved) = (Questions::default(), Vec::new());
        let (mut typing, mut words) = (None::<Typing>, LiveWords::default());
        loop {
            tokio::select! {
                followed = events.next() => {
                    let event = match followed.transpose()? {
                        Some(Followed::Event(event)) => event,
                        Some(Followed::Piece(piece)) => {
                            if typing.is_none() && !questions.is_asking() {
                                self.follower.piece(&piece, timeline, &mut words);
                            }
                            continue;
                        }
                        None => return Ok(approved),
                    };
                    words.end(self.follower.out);
                    if typing.is_some() {
                        prompt::leave();
                    }
                    self.follower.event(&event, timeline, &mut questions).await;
                    if event.kind == "contract.requested" {
                        typing = None;
                        self.judge(interrupt).await?;
                    }
                    match &typing {
                        Some(typing) => prompt::show_again(typing.prompt),
                        None if self.is_my_turn(timeline) => {
                            self.tell_cost(timeline);
                            typing = Some(Typing::new(YOURS));
                        }
                        None => {}
                    }
                }
                turn = questions.turn(timeline), if typing.is_none() => {
                    timeline.bar.clear(self.follower.out);
                    self.turn(turn, timeline, (&mut questions, &mut approved)).await?;
                }
                line = typed(&mut typing) => {
                    let prompt = typing.take().map(|typing| typing.prompt);
                    typing = self.typed(prompt, line, timeline).await?;
                }
                () = interrupt.came() => {
                    timeline.bar.clear(self.follower.out);
                    let asks = typing.is_some() || questions.is_asking();
                    if asks || !self.spoken || !prompt::is_attended() {
                        return Err(self.left());
                    }
                    prompt::leave();
                    typing = Some(Typing::new(CHOICE));
                }
            }
        }
    }

    /// Does the next thing with the questions.
    async fn turn(
        &self,
        turn: Turn,
        timeline: &Timeline,
        (questions, approved): (&mut Questions, &mut Vec<Question>),
    ) -> Result<(), Error> {
        approved.extend(
            self.follower
                .turn(turn, self.answer, (timeline, questions))
                .await?,
        );
        Ok(())
    }

    /// Has the person answer a request for another contract.
    async fn judge(&self, interrupt: &mut Interrupt) -> Result<(), Error> {
        let Follower {
            deployment,
            client,
            out,
            live: _,
        } = self.follower;
        let task = self.task;
        if !prompt::is_attended() || self.answer == Answer::Yes {
            out.line_for_people(&format!(
                "  a person has to answer this at a terminal: contractual contract amend {task}\n"
            ));
            return Ok(());
        }
        tokio::select! {
            answered = Box::pin(amend::answer(deployment, (client, out), task)) => match answered {
                // A contract that policy refuses, or a request that has ended, leaves the task as it is.
                Err(error @ Error::Refused(_)) => {
                    out.line_for_people(&format!("  {error}\n"));
                    Ok(())
                }
                answered => answered.map(drop),
            },
            () = interrupt.came() => Err(self.left()),
        }
    }

    /// Returns true if the dialogue waits for the person's words.
    fn is_my_turn(&self, timeline: &Timeline) -> bool {
        self.chat && timeline.awaits_words
    }

    fn tell_cost(&self, timeline: &Timeline) {
        let words = timeline.answer.as_deref().unwrap_or_default();
        let words = behind_margin(words);
        let cost = timeline.cost.text();
        self.follower
            .out
            .line_for_people(&format!("\n{words}\n\n  so far: {cost}\n"));
    }

    /// Does what a typed line says, and returns the line that is typed next.
    async fn typed(
        &self,
        prompt: Option<&str>,
        line: Option<String>,
        timeline: &mut Timeline,
    ) -> Result<Option<Typing>, Error> {
        if prompt != Some(CHOICE) {
            self.said(line, timeline).await?;
        } else if !self.chosen(line, timeline).await? {
            return Ok(Some(Typing::new(CHOICE)));
        }
        Ok(self.is_my_turn(timeline).then(|| Typing::new(YOURS)))
    }

    /// Sends what the person said; the end of the input ends the dialogue.
    async fn said(&self, line: Option<String>, timeline: &mut Timeline) -> Result<(), Error> {
        let client = self.follower.client;
        match line.as_deref().map(str::trim) {
            None => {
                timeline.awaits_words = false;
                client.end_dialogue(self.task).await?;
            }
            Some("") => {}
            Some(words) => {
                timeline.awaits_words = false;
                client.say(self.task, timeline.said, words).await?;
            }
        }
        Ok(())
    }

    /// Does what the person chose after Ctrl-C. Returns false if the line is not clear.
    async fn chosen(&self, line: Option<String>, timeline: &mut Timeline) -> Result<bool, Error> {
        match choice(line.as_deref()) {
            Choice::Leave => return Err(self.left()),
            Choice::Stop => {
                let draft = Draft::of(self.task, TaskCancelled {});
                append(self.follower.deployment, draft).await?;
            }
            Choice::GoOn => {}
            Choice::Say => self.said(line, timeline).await?,
            Choice::Unclear => {
                prompt::tell(
                    "not sent: answer with stop, leave or go on alone, or say more than three words to it",
                );
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn left(&self) -> Error {
        let task = self.task;
        self.follower.out.line_for_people(&format!(
            "\nthe task goes on: see `contractual task show {task}`; `contractual task cancel {task}` ends it"
        ));
        Error::Interrupted
    }
}

/// The meaning of a line after Ctrl-C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Stop,
    Leave,
    GoOn,
    Say,
    /// It begins with one of the choices, and is too short to be certain.
    Unclear,
}

/// Returns the meaning of a line; the end of the input leaves.
fn choice(line: Option<&str>) -> Choice {
    let Some(line) = line else {
        return Choice::Leave;
    };
    let line = line.to_lowercase();
    let words: Vec<&str> = line
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    match words.as_slice() {
        ["stop"] => Choice::Stop,
        ["leave"] => Choice::Leave,
        ["go"] | ["go", "on"] => Choice::GoOn,
        [] if line.trim().is_empty() => Choice::GoOn,
        ["stop" | "leave" | "go", ..] if words.len() <= UNCLEAR_WORDS => Choice::Unclear,
        _ => Choice::Say,
    }
}

/// Waits for the person's line; for ever if none is asked for.
async fn typed(typing: &mut Option<Typing>) -> Option<String> {
    match typing {
        Some(typing) => (&mut typing.line).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, choice};

    #[test]
    fn a_short_line_that_begins_with_a_choice_is_not_sent() {
        let cases = [
            (None, Choice::Leave),
            (Some(""), Choice::GoOn),
            (Some("Go on."), Choice::GoOn),
            (Some(" STOP!"), Choice::Stop),
            (Some("Leave"), Choice::Leave),
            (Some("stop it now"), Choice::Unclear),
            (Some("leave the last line out"), Choice::Say),
            (Some("use the other one"), Choice::Say),
        ];
        for (line, meant) in cases {
            assert_eq!(choice(line), meant, "{line:?}");
        }
    }
}
