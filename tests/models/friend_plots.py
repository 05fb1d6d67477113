"""Plots about people: afraid, hurt, far from home, learning, kept inside, helping."""

from plots import Plot

AFRAID = Plot(
    setup=(
        "One night, {hero} was in bed and could not sleep.",
        "{hero} liked {game.ing}, but {hero.he} did not like the dark.",
    ),
    problem=(
        'Then there was {noise}. "What is that?" {hero} said. {hero.He} was [scared|afraid].',
        "{hero} heard {noise} from {place} and hid under a {color} blanket.",
    ),
    turn=(
        '{pal} took a lamp and said, "Do not be afraid. Let us go and see."',
        "{hero} called {pal}, and they went outside to look, hand in hand.",
    ),
    ending=(
        'It was only {source}! "I am not afraid now," said {hero}.',
        "They saw that it was just {source}. {hero} laughed and felt brave.",
    ),
)

HURT = Plot(
    setup=(
        "One day, {hero} and {pal} went to {place}. They liked {game.ing} there.",
        "{hero} [often|always] {game.past} with {hero.his} friend {pal}.",
    ),
    problem=(
        "{hero} ran too fast and fell on a rock. {hero.His} {part} hurt, and {hero.he} cried.",
        'But {hero} fell down. "Ouch, my {part}!" {hero.he} said.',
    ),
    turn=(
        "{pal} ran to get {hero.his} {grown}, who came with a {color} bandage.",
        '"Let me see your {part}," said {pal}. {pal.He} put some cold water on it.',
    ),
    ending=(
        "Soon the {part} was better, and {hero} was {glad} again.",
        '"Does it still hurt?" asked {pal}. "No, thank you," said {hero} with a smile.',
    ),
)

ASTRAY = Plot(
    setup=(
        "One day, {hero} went for a [long|quick] walk to {place}.",
        "{hero} wanted to find some {food.many} for {hero.his} {grown}.",
    ),
    problem=(
        'It got dark, and {hero} did not know the way home. "I am lost," {hero.he} said.',
        "{hero} went too far and could not see {hero.his} home. {hero.He} felt {sad} and alone.",
    ),
    turn=(
        'Then {hero.he} met {pal} the {pal_kind}. "Come with me," said {pal}. "I know the way."',
        'A {pal_kind} named {pal} saw {hero.him} and said, "I will take you home."',
    ),
    ending=(
        "They walked past {place}, and soon {hero} was home. {hero.His} {grown} was {glad}.",
        "{pal} took {hero} home. {hero.His} {grown} gave {pal} {count} {food.many} to say thank you.",
    ),
)

LEARN = Plot(
    setup=(
        "{hero} wanted to {skill}, but {hero.he} did not know how.",
        'One day, {hero} saw {pal} {skill.ing}. "I want to {skill} too!" said {hero}.',
    ),
    problem=(
        "{hero} tried {count} times, but it was too hard. {hero} was {sad}.",
        'At first, {hero} could not do it. "I will never {skill}," {hero.he} said.',
    ),
    turn=(
        '"Do not give up," said {pal}. "I will show you how to {skill}."',
        "{pal} was good at {skill.ing} and helped {hero} every day.",
    ),
    ending=(
        '{hero} tried again, and this time {hero.he} {skill.past}! "I did it!" said {hero}.',
        "After {count} days, {hero} {skill.past} all alone. {pal} was {glad} for {hero.him}.",
    ),
)

INSIDE = Plot(
    setup=(
        "{hero} and {pal} wanted to go to {place} and {game}.",
        'One day, {pal} asked {hero}, "Do you want to {game} with me near {place}?"',
    ),
    problem=(
        "But there was a big {weather}, and they had to stay inside. {hero} was {sad}.",
        'Then the {weather} came. "We can not {game} now," said {hero}.',
    ),
    turn=(
        '{pal} had an idea. "We can {craft}!" {pal.he} said.',
        '"What can we do inside?" asked {hero}. {hero.His} {grown} said, "You can {craft}."',
    ),
    ending=(
        "So they {craft.past}, and it was a lot of fun. They forgot the {weather}.",
        "{hero} and {pal} liked {craft.ing}. When the {weather} was over, they were {glad}.",
    ),
)

NEST = Plot(
    setup=(
        "One day, {hero} walked to {place} with {hero.his} friend {pal}.",
        "{hero} liked to look at the birds near {place}.",
    ),
    problem=(
        "{hero} saw a baby bird on the ground. It was [cold|small] and {sad}.",
        'A baby bird had fallen out of its nest. "Poor bird!" said {hero}.',
    ),
    turn=(
        "{pal} got a {tool}, and {hero} put the bird in {hero.his} {color} hat.",
        '"Its nest is {high}," said {pal}. "We need a {tool}."',
    ),
    ending=(
        "They used the {tool} and put the bird back in its nest. The mother bird sang, and {hero} was {glad}.",
        'Soon the bird was back in its nest. "Good job, {pal}!" said {hero}.',
    ),
)
