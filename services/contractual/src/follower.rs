//! Follows tasks for the owner: shows their events and answers their questions.

use std::io::Write as _;

use bus_schema::{ActionId, DraftGrant, Piece, TaskId};
use deployment::Deployment;
use futures::{FutureExt as _, StreamExt as _};
use gateway::{
    api::Event,
    client::{self, Client, Followed},
};

use crate::{
    Error, Output, find,
    live_words::LiveWords,
    prompt,
    question::{self, Question},
    questions::{Questions, Turn},
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
    /// True to show the words of models as they arrive.
    pub(crate) live: bool,
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
        let mut events = std::pin::pin!(self.client.follow_live(task, self.is_live()));
        let mut questions = Questions::default();
        let mut words = LiveWords::default();
        let mut approved = Vec::new();
        loop {
            tokio::select! {
                followed = events.next() => match followed.transpose()? {
                    Some(Followed::Event(event)) => {
                        words.end(self.out);
                        self.event(&event, timeline, &mut questions).await;
                    }
                    Some(Followed::Piece(piece)) => {
                        if !questions.is_asking() {
                            self.piece(&piece, timeline, &mut words);
                        }
                    }
                    None => return Ok(approved),
                },
                turn = questions.turn(timeline) => {
                    timeline.bar.clear(self.out);
                    approved.extend(self.turn(turn, answer, (timeline, &mut questions)).await?);
                }
            }
        }
    }

    /// Returns true if the words of models are shown as they arrive.
    pub(crate) fn is_live(&self) -> bool {
        self.live && self.out.is_live()
    }

    /// Shows a piece of an answer as it arrives, if a model answers.
    pub(crate) fn piece(&self, piece: &Piece, timeline: &Timeline, words: &mut LiveWords) {
        if self.is_live() && timeline.is_of_model(piece.action) {
            words.show(piece, self.out);
        }
    }

    /// Does the next thing with questions. Returns those that were approved without being asked.
    ///
    /// # Errors
    /// Returns the gateway's error.
    pub(crate) async fn turn(
        &self,
        turn: Turn,
        answer: Answer,
        (timeline, questions): (&Timeline, &mut Questions),
    ) -> Result<Vec<Question>, Error> {
        match turn {
            Turn::Show(plan) => {
                let signed = self.ask(answer, timeline, (&plan, questions)).await?;
                return Ok(if signed { plan } else { Vec::new() });
            }
            Turn::Answered(answer, plan) => {
                if answer.is_none() {
                    writeln!(std::io::stderr(), "no answer at EOF: denied").ok();
                }
                self.answer(&plan, answer == Some(true)).await?;
            }
        }
        Ok(Vec::new())
    }

    /// Shows questions and asks the person, or signs them; returns true if they were signed without asking.
    async fn ask(
        &self,
        answer: Answer,
        timeline: &Timeline,
        (plan, questions): (&[Question], &mut Questions),
    ) -> Result<bool, Error> {
        let actions: Vec<ActionId> = plan.iter().map(|one| one.draft.action).collect();
        if let Err(error) = self.show_all(timeline, plan).await {
            self.out.line_for_people(&format!("\n  {error}\n"));
            questions.take(&actions);
            return Ok(false);
        }
        let attended = plan.iter().any(Question::attended);
        if attended && (answer == Answer::Yes || !prompt::is_attended()) {
            let command = self.command(plan);
            self.out.line_for_people(&format!(
                "  a person has to answer this question at a terminal; it stays pending: {command}\n"
            ));
            questions.take(&actions);
            return Ok(false);
        }
        if answer == Answer::Asked {
            let command = self.command(plan);
            self.out
                .line_for_people(&format!("  to answer from elsewhere: {command}\n"));
            questions.ask(plan, prompt::sign_it().boxed());
            return Ok(false);
        }
        questions.take(&actions);
        self.out.line_for_people("  signed with --yes\n");
        self.answer(plan, true).await?;
        Ok(true)
    }

    /// Shows an event, and opens or ends a question with it.
    pub(crate) async fn event(
        &self,
        event: &Event,
        timeline: &mut Timeline,
        questions: &mut Questions,
    ) {
        if questions.is_asking() {
            prompt::leave();
        }
        timeline.bar.clear(self.out);
        timeline.bar.hear(event);
        let shown = timeline.show(event, self.client).await;
        if self.out.json() {
            self.out.line(&json(event));
        } else {
            shown.print(self.out);
        }
        if let Some(action) = shown.decided
            && questions.end(action)
        {
            self.out
                .line_for_people("  this question has ended: nothing was signed here\n");
        }
        if let Some(question) = shown.ask {
            questions.open(question);
        }
        if questions.is_asking() {
            prompt::show();
        } else if self.is_live() {
            timeline.bar.show(self.out);
        }
    }

    /// Shows questions that are answered together.
    ///
    /// # Errors
    /// [`Error::Refused`] if one of them cannot be shown, so that none is signed.
    pub(crate) async fn show_all(
        &self,
        timeline: &Timeline,
        plan: &[Question],
    ) -> Result<(), Error> {
        let unsigned = |why: String| Error::Refused(format!("{why}: nothing is signed"));
        let mut lines = Vec::new();
        for question in plan {
            let contract = self.contract(question).await;
            let step = timeline.step(question.draft.action);
            let shown = question.lines(step, &contract, self.client).await;
            lines.push(shown.map_err(unsigned)?);
        }
        self.out
            .question(&question::text(&lines))
            .map_err(|error| unsigned(format!("the question cannot be shown ({error})")))
    }

    /// Sends the answer to questions.
    async fn answer(&self, plan: &[Question], approve: bool) -> Result<(), Error> {
        let drafts: Vec<DraftGrant> = plan.iter().map(|one| one.draft.clone()).collect();
        for answered in self.client.answer_all(&drafts, approve, None).await {
            match answered {
                Ok(_) => {}
                // The question may have expired, and its task may have ended.
                Err(error @ client::Error::Refused(_)) => {
                    let error = actor::chain(&error);
                    self.out.line_for_people(&format!("  too late: {error}\n"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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

    /// The command that answers questions of one task from another terminal.
    fn command(&self, plan: &[Question]) -> String {
        let mut command = format!(
            "contractual approve --dir {}",
            timeline::quoted(&self.deployment.dir.path().display().to_string())
        );
        if let Some(first) = plan.first() {
            command.push_str(&format!(" {}", first.draft.task));
        }
        for question in plan {
            command.push_str(&format!(" {}", question.draft.action));
        }
        command
    }
}
