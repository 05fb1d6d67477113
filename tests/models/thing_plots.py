"""Plots about things: lost, stuck, broken, shared, given."""

from plots import Plot

LOST = Plot(
    setup=(
        "{hero} had a {color} {toy} and loved it very much.",
        "{hero} liked to play with {hero.his} {color} {toy}.",
    ),
    problem=(
        "One [day|morning], {hero} could not find the {toy}. {hero.He} looked {spot}, but it was not there.",
        "One day, {hero} lost {hero.his} {toy} near {place}. {hero.He} was {sad} and began to cry.",
    ),
    turn=(
        '{pal} saw {hero.him} and asked, "Why are you {sad}?" "I lost my {toy}," said {hero}.',
        '{hero.He} asked {pal}, "Have you seen my {toy}?" "No," said {pal}, "but I [can|will] help you look."',
    ),
    ending=(
        "They looked together and saw the {toy} {find}. {hero} was {glad}.",
        '{pal} found it {find}. "Thank you, {pal}!" said {hero}, and {hero.he} gave {pal.him} a [big|warm] hug.',
    ),
)

STUCK = Plot(
    setup=(
        "One day, {hero} took {hero.his} {color} {toy} to {place}.",
        "{hero} got a new {toy}. It was {color}, and {hero.he} was {glad}.",
    ),
    problem=(
        "But the wind [blew|was strong], and the {toy} got stuck {high}. {hero} could not reach it.",
        'The wind took the {toy}, and it landed {high}. "Oh no!" said {hero}. {hero.He} felt {sad}.',
    ),
    turn=(
        '{pal} came by with a {tool}. "I can help," {pal.he} said.',
        '{hero} called {hero.his} friend {pal}. {pal} looked up and said, "We need a {tool}."',
    ),
    ending=(
        "With the {tool}, {pal} got the {toy} down. {hero} was {glad}.",
        '{hero} held the {tool} and {pal} got the {toy} back. "You are a good friend," said {hero}.',
    ),
)

BROKEN = Plot(
    setup=(
        "{hero} had a {color} {toy} that was [quite new|very old].",
        "One day, {hero} let {pal} play with {hero.his} {color} {toy}.",
    ),
    problem=(
        "{pal} was not careful, and the {toy} broke. {hero} was {sad}.",
        'Then {pal} fell on the {toy}, and it broke. "Oh no, my {toy}!" said {hero}.',
    ),
    turn=(
        '"I am sorry," said {pal}. "Please do not be {sad}. We can fix it with some {glue}."',
        "{pal} was sorry. {pal.He} went to {pal.his} {grown} and asked for some {glue}.",
    ),
    ending=(
        "They fixed the {toy} with the {glue}, and it looked [as good as new|very nice|better than before].",
        "{pal} used the {glue} to fix it. {hero} was {glad} and was not {sad} any more.",
    ),
)

SHARE = Plot(
    setup=(
        "{hero} had {count} {food.many} in a {color} bag.",
        "One day, {hero.his} {grown} gave {hero} {count} {food.many}.",
    ),
    problem=(
        '{pal} was hungry and asked, "May I have one {food}?" "No," said {hero}, "they are all mine."',
        "{pal} wanted one {food} too, but {hero} did not want to share. {pal} was {sad} and went away.",
    ),
    turn=(
        "Then {hero} sat alone near {place}. It was not fun to eat alone, and {hero.he} felt {sad}.",
        '"It is nice to share with others," {hero.his} {grown} told {hero}. {hero.He} [thought|nodded] and was sorry.',
    ),
    ending=(
        '{hero} went to {pal} and said, "I am sorry. Please take one {food}." Now {pal} was {glad}.',
        "{hero} gave {pal} one of the {food.many}, and they ate together near {place}.",
    ),
)

GIFT = Plot(
    setup=(
        "{hero.His} {grown} had a birthday, and {hero} wanted to give a present.",
        "It was the birthday of {pal}, and {hero} looked for a gift.",
    ),
    problem=(
        "{hero} wanted to buy a {color} {toy}, but {hero.he} had no money. {hero.He} was {sad}.",
        "But the shop was closed, and {hero} had no gift. {hero.He} sat down near {place} and felt {sad}.",
    ),
    turn=(
        'Then {hero} had an idea. "I can {craft}!" {hero.he} said. {pal} came to help.',
        '{pal} said, "You like {craft.ing}. That is the best gift!"',
    ),
    ending=(
        "{hero} {craft.past} with {pal}, and it was [lovely|very good]. All were {glad}.",
        "So {hero} {craft.past}. It was the best gift of the day.",
    ),
)
