//! Follows tasks for the owner: shows their events and answers their questions.

use std::{collections::VecDeque, future::pending, io::Write as _};

use bus_schema::TaskId;
use deployment::Deployment;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use gateway::{
    api::Event,
    client::{self, Client},
};

use crate::{
    Error, Output, find, prompt,
    question::Question,
    timeline::{self, Timeline, json},
};

/// The answer to the questions of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Read it from standard input, a terminal or a pipe; EOF means no.
    Asked,
    /// Sign an approval.
    Yes,
}

/// Follows tasks for the owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Follower<'a> {
    /// The deployment.
    pub(crate) deployment: &'a Deployment,
    /// The owner's client of its gateway.
    pub(crate) client: &'a Client,
    /// The output for events and questions.
    pub(crate) out: &'a Output,
}

/// The open questions of a followed task; the first is shown.
#[derive(Default)]
struct Questions {
    open: VecDeque<Question>,
    /// The answer to the first, while a person is asked.
    answer: Option<BoxFuture<'static, Option<bool>>>,
}

impl Questions {
    /// Returns the person's answer to the first question; waits for ever while nobody is asked.
    async fn answered(&mut self) -> Option<bool> {
        match &mut self.answer {
            Some(answer) => answer.await,
            None => pending().await,
        }
    }
}

impl Follower<'_> {
    /// Follows a task to its end, adds its events to `timeline`, and answers its questions. Returns the questions that
    /// were approved without being asked.
    ///
    /// # Errors
    /// Returns the gateway's error.
    pub(crate) async fn follow(
        &self,
        task: TaskId,
        answer: Answer,
        timeline: &mut Timeline,
    ) -> Result<Vec<Question>, Error> {
        let mut events = std::pin::pin!(self.client.follow(task));
        let mut questions = Questions::default();
        let mut approved = Vec::new();
        loop {
            while questions.answer.is_none()
                && let Some(question) = questions.open.front()
            {
                if !self.show(timeline, question).await {
                    questions.open.pop_front();
                } else if question.attended() && (answer == Answer::Yes || !prompt::is_attended()) {
                    let command = self.command(question);
                    self.out.line_for_people(&format!(
                        "  a person has to answer this question at a terminal; it stays pending: {command}\n"
                    ));
                    questions.open.pop_front();
                } else if answer == Answer::Asked {
                    let command = self.command(question);
                    self.out
                        .line_for_people(&format!("  to answer from elsewhere: {command}\n"));
                    questions.answer = Some(prompt::sign_it().boxed());
                } else if let Some(question) = questions.open.pop_front() {
                    self.out.line_for_people("  signed with --yes\n");
                    self.answer(&question, true).await?;
                    approved.push(question);
                }
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.event(&event?, timeline, &mut questions).await,
                    None => return Ok(approved),
                },
                answer = questions.answered() => {
                    questions.answer = None;
                    if answer.is_none() {
                        writeln!(std::io::stderr(), "no answer at EOF: denied").ok();
                    }
                    if let Some(question) = questions.open.pop_front() {
                        self.answer(&question, answer == Some(true)).await?;
                    }
                }
            }
        }
    }

    /// Shows an event, and opens or ends a question with it.
    async fn event(&self, event: &Event, timeline: &mut Timeline, questions: &mut Questions) {
        if questions.answer.is_some() {
            prompt::leave();
        }
        let shown = timeline.show(event, self.client).await;
        if self.out.json() {
            self.out.line(&json(event));
        } else {
            shown.print(self.out);
        }
        if let Some(action) = shown.decided {
            let shows = |question: &Question| question.draft.action == action;
            if questions.answer.is_some() && questions.open.front().is_some_and(shows) {
                questions.answer = None;
                self.out
                    .line_for_people("  this question has ended: nothing was signed here\n");
            }
            questions.open.retain(|question| !shows(question));
        }
        questions.open.extend(shown.ask);
        if questions.answer.is_some() {
            prompt::show();
        }
    }

    /// Shows a question; returns false if it cannot be shown, so that it is not signed.
    async fn show(&self, timeline: &Timeline, question: &Question) -> bool {
        let contract = self.contract(question).await;
        let shown = match question
            .text(timeline.step(question.draft.action), &contract, self.client)
            .await
        {
            Ok(text) => self.out.question(&text).map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = &shown {
            self.out
                .line_for_people(&format!("\n  {reason}: nothing is signed\n"));
        }
        shown.is_ok()
    }

    /// Sends the answer to a question.
    async fn answer(&self, question: &Question, approve: bool) -> Result<(), Error> {
        match self.client.approve(&question.draft, approve).await {
            Ok(_) => Ok(()),
            // The question may have expired, and its task may have ended.
            Err(error @ client::Error::Refused(_)) => {
                let error = actor::chain(&error);
                self.out.line_for_people(&format!("  too late: {error}\n"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The contract as the owner signed it, read from the bus: the gateway is not trusted with it.
    pub(crate) async fn contract(&self, question: &Question) -> String {
        let digest = &question.draft.contract;
        match find::find(self.deployment, digest).await {
            Ok(Some(found)) => found.to_string(),
            Ok(None) => format!("{digest}, which the owner has not signed"),
            Err(error) => format!(
                "{digest} (its name cannot be read: {})",
                actor::chain(&error)
            ),
        }
    }

    /// The command that answers a question from another terminal.
    pub(crate) fn command(&self, question: &Question) -> String {
        format!(
            "contractual approve --dir {} {} {}",
            timeline::quoted(&self.deployment.dir.path().display().to_string()),
            question.draft.task,
            question.draft.action
        )
    }
}
