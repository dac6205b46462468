//! Follows a task for the person at the terminal: its events, its questions, Ctrl-C, and the person's further words.

use bus_schema::{Draft, TaskCancelled, TaskId};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};

use crate::{
    Error,
    command::{contract::amend, halt::append, up::Interrupt},
    follower::{Answer, Follower},
    prompt,
    question::Question,
    questions::{Questions, Turn},
    timeline::Timeline,
};

const YOURS: &str = "you: ";
const CHOICE: &str =
    "  stop it, leave it running, go on, or say something to it? [stop/leave/go on/your words] ";

/// Follows a task.
#[derive(Debug, Clone, Copy)]
pub(in crate::command) struct Talk<'a> {
    pub(in crate::command) follower: Follower<'a>,
    pub(in crate::command) task: TaskId,
    pub(in crate::command) answer: Answer,
    /// True if it takes further words: it is a dialogue.
    pub(in crate::command) spoken: bool,
    /// True if it waits for words after each answer.
    pub(in crate::command) chat: bool,
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
    pub(in crate::command) async fn follow(
        &self,
        timeline: &mut Timeline,
        interrupt: &mut Interrupt,
    ) -> Result<Vec<Question>, Error> {
        let client = self.follower.client;
        let mut events = std::pin::pin!(client.follow(self.task));
        let (mut questions, mut approved) = (Questions::default(), Vec::new());
        let mut typing: Option<Typing> = None;
        loop {
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else {
                        return Ok(approved);
                    };
                    if typing.is_some() {
                        prompt::leave();
                    }
                    let event = event?;
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
                    self.turn(turn, timeline, (&mut questions, &mut approved)).await?;
                }
                line = typed(&mut typing) => {
                    let prompt = typing.take().map(|typing| typing.prompt);
                    if prompt == Some(CHOICE) {
                        self.chosen(line, timeline).await?;
                    } else {
                        self.said(line, timeline).await?;
                    }
                    if self.is_my_turn(timeline) {
                        typing = Some(Typing::new(YOURS));
                    }
                }
                () = interrupt.came() => {
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
        let words = diagnostic::escaped_lines(words);
        let cost = timeline.cost.text();
        self.follower
            .out
            .line_for_people(&format!("\n{words}\n\n  so far: {cost}\n"));
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

    /// Does what the person chose after Ctrl-C.
    async fn chosen(&self, line: Option<String>, timeline: &mut Timeline) -> Result<(), Error> {
        match line.as_deref().map(str::trim) {
            None | Some("leave") => Err(self.left()),
            Some("stop") => {
                let draft = Draft::of(self.task, TaskCancelled {});
                append(self.follower.deployment, draft).await?;
                Ok(())
            }
            Some("" | "go on") => Ok(()),
            Some(_) => self.said(line, timeline).await,
        }
    }

    fn left(&self) -> Error {
        let task = self.task;
        self.follower.out.line_for_people(&format!(
            "\nthe task goes on: see `contractual task show {task}`; `contractual task cancel {task}` ends it"
        ));
        Error::Interrupted
    }
}

/// Waits for the person's line; for ever if none is asked for.
async fn typed(typing: &mut Option<Typing>) -> Option<String> {
    match typing {
        Some(typing) => (&mut typing.line).await,
        None => std::future::pending().await,
    }
}
