"""Sentence pairs in the manner of natural-language inference, written from scenes with blanks.

Each scene holds a premise with blanks, three sets of words to fill them, and for each class two hypotheses.
A filled premise is used three times, once per class, and all its pairs go to the same split.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

CLASSES = ("entailment", "neutral", "contradiction")
TEST_SCENES = 12


@dataclass(frozen=True)
class Scene:
    """A premise with blanks ``{0}``, ``{1}``, ...; hypotheses may use the same blanks."""

    premise: str
    fillings: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    entailment: tuple[str, str]
    neutral: tuple[str, str]
    contradiction: tuple[str, str]


SCENES = (
    Scene(
        "The {0} on the corner closed early on {1} because the heating had failed.",
        (("bakery", "Monday"), ("library", "Thursday"), ("pharmacy", "Saturday")),
        ("The {0} shut before its usual time.", "A fault in the heating made the {0} close."),
        ("The {0} reopened the next morning.", "Customers of the {0} complained about the cold."),
        ("The {0} stayed open longer than usual on {1}.", "The heating in the {0} worked all day."),
    ),
    Scene(
        "Two {0} carried a heavy {1} up the stairs to the fourth floor.",
        (("students", "sofa"), ("movers", "piano"), ("brothers", "wardrobe")),
        ("A {1} was taken upstairs.", "The {0} moved something heavy."),
        ("The lift in the building was broken.", "The {0} were paid for carrying the {1}."),
        ("The {0} carried the {1} down to the cellar.", "The {1} was so light that a child lifted it alone."),
    ),
    Scene(
        "After {0} years as a {1}, Maria opened a small restaurant by the harbour.",
        (("twelve", "nurse"), ("twenty", "teacher"), ("seven", "lawyer")),
        ("Maria used to work as a {1}.", "Maria's restaurant is near the water."),
        ("Maria's restaurant serves mostly fish.", "Maria had disliked being a {1}."),
        ("Maria has never worked as a {1}.", "Maria's restaurant lies high in the mountains."),
    ),
    Scene(
        "The {0} from {1} arrived forty minutes late, and nobody announced the delay.",
        (("train", "Vienna"), ("bus", "Leeds"), ("ferry", "Naples")),
        ("The {0} was not on time.", "The passengers were not told about the delay."),
        ("A storm had slowed the {0} down.", "Several passengers asked for their money back."),
        ("The {0} from {1} arrived exactly on schedule.", "The delay was announced again and again."),
    ),
    Scene(
        "A {0} was asleep on the {1} while the rain beat against the window.",
        (("cat", "armchair"), ("puppy", "carpet"), ("toddler", "couch")),
        ("It was raining outside.", "A {0} was sleeping indoors."),
        ("The {0} had been playing all morning.", "The {1} was a present from a neighbour."),
        ("The sun shone from a cloudless sky.", "The {0} was chasing a ball around the garden."),
    ),
    Scene(
        "The committee rejected the plan for a new {0} by {1} votes to three.",
        (("bridge", "nine"), ("stadium", "eleven"), ("car park", "six")),
        ("Most of the committee voted against the {0}.", "The plan for the {0} was turned down."),
        ("The {0} would have cost too much.", "The committee will vote on the {0} again next year."),
        ("The committee approved the new {0}.", "Nobody on the committee voted against the {0}."),
    ),
    Scene(
        "{0} bought a used {1} last spring and has repaired it twice since then.",
        (("Oliver", "motorcycle"), ("Amina", "camper van"), ("Jonas", "tractor")),
        ("{0} owns a {1} that needed repairs.", "The {1} was not new when {0} bought it."),
        ("{0} paid less than a thousand euros for the {1}.", "{0} plans to sell the {1} in autumn."),
        ("{0}'s {1} has never needed a repair.", "{0} bought a brand-new {1}."),
    ),
    Scene(
        "Only {0} of the {1} who signed up for the course finished it.",
        (("four", "trainees"), ("a dozen", "volunteers"), ("half", "employees")),
        ("Some {1} dropped out of the course.", "Not all the {1} completed the course."),
        ("The course was too difficult for the {1}.", "The {1} who finished received a certificate."),
        ("Every one of the {1} finished the course.", "No {1} ever signed up for the course."),
    ),
    Scene(
        "The museum lends its famous {0} to a gallery in {1} until December.",
        (("vase", "Osaka"), ("portrait", "Madrid"), ("tapestry", "Chicago")),
        ("The {0} will be away from the museum for a while.", "A gallery in {1} borrows the {0}."),
        ("The {0} is insured for two million.", "The gallery in {1} expects record crowds."),
        ("The museum has sold the {0} for good.", "The {0} never leaves the museum."),
    ),
    Scene(
        "Without a word, the {0} took the {1} from the table and left the room.",
        (("clerk", "letter"), ("detective", "photograph"), ("boy", "key")),
        ("The {0} walked out with the {1}.", "The {0} said nothing."),
        ("The {0} was angry about the {1}.", "The {1} belonged to the {0}'s grandmother."),
        ("The {0} left the {1} lying on the table.", "The {0} talked loudly while leaving the room."),
    ),
    Scene(
        "The {0} harvest in the {1} was the smallest in thirty years.",
        (("olive", "south"), ("apple", "valley"), ("coffee", "highlands")),
        ("Harvests in the {1} had been larger in other years.", "The {1} produced few {0}s by its standards."),
        ("A late frost ruined the {0} harvest.", "Prices for {0}s doubled within weeks."),
        ("The {1} had a record {0} harvest.", "Every harvest of the last thirty years was smaller."),
    ),
    Scene(
        "Three {0} were rescued from the {1} after their boat capsized at dawn.",
        (("fishermen", "bay"), ("tourists", "lake"), ("sailors", "estuary")),
        ("A boat with {0} on board overturned.", "The {0} were saved."),
        ("A strong gust capsized the boat.", "One of the {0} broke an arm."),
        ("The {0} drowned in the {1}.", "The boat of the {0} reached the shore safely."),
    ),
    Scene(
        "The new {0} is quieter than the old one, but it uses twice as much {1}.",
        (("dishwasher", "water"), ("printer", "ink"), ("pump", "power")),
        ("The old {0} made more noise.", "The old {0} needed less {1}."),
        ("The new {0} was expensive.", "The old {0} will be given away."),
        ("The new {0} needs less {1} than the old one.", "The old {0} was the quieter of the two."),
    ),
    Scene(
        "{0} speaks fluent {1}, although she has never been abroad.",
        (("Helen", "Portuguese"), ("Sophie", "Korean"), ("Ingrid", "Swahili")),
        ("{0} can hold a conversation in {1}.", "{0} has spent her whole life in her own country."),
        ("{0} learned {1} from her grandfather.", "{0} hopes to work as an interpreter."),
        ("{0} does not understand a word of {1}.", "{0} learned {1} while living abroad."),
    ),
    Scene(
        "A {0} broke into the {1} during the night and took nothing but the cash box.",
        (("burglar", "bookshop"), ("masked man", "florist's"), ("thief", "petrol station")),
        ("Money was stolen from the {1}.", "Someone entered the {1} at night without permission."),
        ("The police caught the {0} two days later.", "The cash box of the {1} was almost empty."),
        ("The {1} was robbed at noon.", "The {0} left the cash box untouched."),
    ),
    Scene(
        "The doctor told the {0} to rest for {1} weeks and to avoid stairs.",
        (("goalkeeper", "six"), ("dancer", "three"), ("postman", "four")),
        ("The {0} was advised to take a break.", "The {0} should not climb stairs for now."),
        ("The {0} had injured a knee.", "The {0} asked another doctor for advice."),
        ("The doctor saw no reason for the {0} to rest.", "The {0} was told to climb stairs every day."),
    ),
    Scene(
        "Every {0}, the {1} in the square plays the same old folk song.",
        (("evening", "accordionist"), ("Sunday", "brass band"), ("noon", "carillon")),
        ("A folk song can be heard in the square.", "The {1} repeats one song again and again."),
        ("Most people in the town know the words of the song.", "The {1} has played there since the war."),
        ("The {1} never plays the same song twice.", "No music is ever played in the square."),
    ),
    Scene(
        "The company moved its {0} from {1} to the countryside to save on rent.",
        (("laboratory", "Boston"), ("call centre", "Dublin"), ("warehouse", "Rotterdam")),
        ("The company's {0} is no longer in {1}.", "Rent was a reason for moving the {0}."),
        ("Many employees of the {0} resigned after the move.", "The new {0} is twice as large."),
        ("The company kept its {0} in {1}.", "The {0} was moved to the most expensive part of {1}."),
    ),
    Scene(
        "Although the {0} was sold out, {1} of the seats stayed empty.",
        (("concert", "a third"), ("premiere", "dozens"), ("final", "hundreds")),
        ("Not everyone with a ticket came to the {0}.", "There were empty seats at the {0}."),
        ("Heavy snow kept people away from the {0}.", "The {0} was shown on television."),
        ("Every seat at the {0} was taken.", "Hardly any tickets for the {0} were sold."),
    ),
    Scene(
        "The {0} barked at the {1} until its owner called it back.",
        (("terrier", "cyclist"), ("sheepdog", "delivery man"), ("spaniel", "jogger")),
        ("A dog made noise at a {1}.", "The owner of the {0} called it."),
        ("The {1} was frightened of the {0}.", "The {0} had slipped its lead."),
        ("The {0} kept silent when the {1} came by.", "The {0} had no owner."),
    ),
)


def build_pairs(seed: int) -> list[dict[str, str]]:
    """Fill every scene three ways and pair each premise with one hypothesis per class.

    Returns
    -------
    list of dict
        180 rows ``premise, hypothesis, label, split``, shuffled; 60 per class, 36 in the test split.
    """
    rng = random.Random(seed)
    test_fillings = {scene: rng.randrange(3) for scene in rng.sample(range(len(SCENES)), TEST_SCENES)}
    pairs = []
    for number, scene in enumerate(SCENES):
        for filling, words in enumerate(scene.fillings):
            for label in CLASSES:
                hypothesis: str = rng.choice(getattr(scene, label))
                pairs.append(
                    {
                        "premise": scene.premise.format(*words),
                        "hypothesis": hypothesis.format(*words),
                        "label": label,
                        "split": "test" if test_fillings.get(number) == filling else "train",
                    }
                )
    rng.shuffle(pairs)
    return pairs
