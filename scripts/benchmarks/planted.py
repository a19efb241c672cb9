"""Pictures of which is known which show the same: changed copies, documents, products, drawings."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

PICTURE, SCENE = "near_duplicate", "same_scene"
WORDS = (
    "amount balance carrier date delivery due freight goods invoice item ledger line net notice "
    "number order paid parcel price receipt rest sender ship stock sum tax term total unit weight"
).split()

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def resized(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it at 0.4 to 0.9 of its size."""
    scale = rng.uniform(0.4, 0.9)
    return image.resize((max(32, round(image.width * scale)), max(32, round(image.height * scale))))


def mirrored(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it mirrored, and resized."""
    return resized(ImageOps.mirror(image), rng)


def brightened(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it 15 to 35 % brighter or darker."""
    by = rng.uniform(0.15, 0.35)
    return ImageEnhance.Brightness(image).enhance(1 + by if rng.random() < 0.5 else 1 - by)


def recoloured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it with another white balance (up to 15 %) and saturation (0.5 to 1.5), as editors do.

    Hues stay: a thing in another colour is another picture.
    """
    gains = rng.uniform(0.85, 1.15, 3)
    pixels = np.asarray(ImageEnhance.Color(image).enhance(rng.uniform(0.5, 1.5)), np.float32)
    return Image.fromarray((pixels * gains).clip(0, 255).astype(np.uint8))


def watermarked(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it with half-transparent words over it."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    font = ImageFont.load_default(max(10, round(image.width * rng.uniform(0.05, 0.12))))
    place = rng.uniform(0.05, 0.4) * image.width, rng.uniform(0.05, 0.85) * image.height
    colour = (255, 255, 255, 150) if rng.random() < 0.5 else (20, 20, 20, 150)
    ImageDraw.Draw(layer).text(place, "sample picture", fill=colour, font=font)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it without 5 to 20 % of its width and its height."""
    width, height = image.size
    wide, high = (1 - rng.uniform(0.05, 0.2, 2)) * (width, height)
    left, top = rng.uniform(0, 1, 2) * (width - wide, height - high)
    return resized(image.crop((int(left), int(top), int(left + wide), int(top + high))), rng)


def another_shot(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it as the next picture of a burst would be.

    Seen from another place (corners move by up to 5 %), with parts that moved, other noise and
    exposure.
    """
    width, height = image.size
    margin = round(0.1 * max(width, height))
    room = ((margin, margin), (margin, margin), (0, 0))
    image = Image.fromarray(np.pad(np.asarray(image), room, mode="edge"))
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], float) + margin
    corners += rng.uniform(-0.05, 0.05, (4, 2)) * (width, height)
    image = image.transform((width, height), Image.Transform.QUAD, corners.ravel().tolist(),
                            Image.Resampling.BILINEAR)  # fmt: skip
    steps = 6
    grid = np.stack(np.meshgrid(np.arange(steps), np.arange(steps)), axis=-1).astype(float)
    grid[1:-1, 1:-1] += rng.normal(0, 0.06, (steps - 2, steps - 2, 2))
    grid *= np.array([width, height]) / (steps - 1)
    mesh = []
    for y in range(steps - 1):
        for x in range(steps - 1):
            at = [(x, y), (x, y + 1), (x + 1, y + 1), (x + 1, y)]
            plain = [round(v) for i, j in (at[0], at[2])
                     for v in (i * width / (steps - 1), j * height / (steps - 1))]  # fmt: skip
            moved = np.concatenate([grid[j, i] for i, j in at])
            mesh.append((tuple(plain), tuple(moved.tolist())))
    image = image.transform((width, height), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
    noise = rng.normal(0, 6, (height, width, 3))
    pixels = np.asarray(image, np.float32) * rng.uniform(0.9, 1.1) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


CHANGES: dict[str, tuple[str, Change]] = {
    "resized": (PICTURE, resized),
    "mirrored": (PICTURE, mirrored),
    "brightened": (PICTURE, brightened),
    "recoloured": (PICTURE, recoloured),
    "watermarked": (PICTURE, watermarked),
    "cropped": (SCENE, cropped),
    "another_shot": (SCENE, another_shot),
}


def in_another_colour(image: Image.Image, rng: np.random.Generator) -> Image.Image | None:
    """Return the thing before a plain background in another colour; None if there is none.

    What differs from the colour of the border is the thing; its hue turns by 60 to 180 degrees.
    """
    pixels = np.asarray(image, np.int16)
    edges = pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]
    border = np.concatenate([edge.reshape(-1, 3) for edge in edges])
    thing = np.abs(pixels - np.median(border, axis=0)).max(axis=2) > 45
    if not 0.1 < thing.mean() < 0.8:
        return None
    hue, saturation, value = image.convert("HSV").split()
    turned = (np.asarray(hue, np.int16) + int(rng.integers(43, 128))) % 256
    strong = np.maximum(np.asarray(saturation, np.int16), 90)
    other = Image.merge("HSV", [Image.fromarray(turned.astype(np.uint8)),
                                Image.fromarray(strong.astype(np.uint8)), value])  # fmt: skip
    mask = Image.fromarray((255 * thing).astype(np.uint8))
    return Image.composite(other.convert("RGB"), image, mask)


def document(layout: int, rng: np.random.Generator) -> Image.Image:
    """Draw a page of one of the layouts, with words of its own."""
    shape = np.random.default_rng(layout)
    page = Image.new("RGB", (620, 877), (252, 252, 248))
    draw = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(int(shape.integers(22, 34))), ImageFont.load_default(12)

    def words(count: int) -> str:
        return " ".join(rng.choice(WORDS, count))

    draw.text((50, 40), words(2).upper(), fill="black", font=large)
    if shape.random() < 0.5:
        draw.rectangle((450, 40, 570, 90), fill=tuple(shape.integers(40, 220, 3).tolist()))
    y = 130
    for _ in range(int(shape.integers(2, 4))):
        draw.text((50, y), words(1).title(), fill="black", font=ImageFont.load_default(16))
        y += 24
        for _ in range(int(shape.integers(3, 9))):
            draw.text((50, y), words(int(rng.integers(9, 13))), fill=(40, 40, 40), font=small)
            y += 17
        y += 14
    columns = int(shape.integers(3, 6))
    for row in range(int(shape.integers(5, 10))):
        for column in range(columns):
            left = 50 + column * 520 // columns
            draw.rectangle((left, y, left + 520 // columns, y + 20), outline="grey")
            text = words(1) if column == 0 or row == 0 else f"{rng.integers(1, 99_999) / 100:.2f}"
            draw.text((left + 4, y + 3), text, fill="black", font=small)
        y += 20
    return page


def product(form: int, rng: np.random.Generator) -> Image.Image:
    """Render a thing of one of the forms on white, in a colour and with a print of its own."""
    style = np.random.default_rng(form)
    side = 400
    corners = int(style.integers(3, 9))
    angles = np.sort(style.uniform(0, 2 * math.pi, corners * 2))
    radii = style.uniform(0.25, 0.45, corners * 2) * side
    outline = [
        (side / 2 + r * math.cos(a), side / 2 + r * math.sin(a))
        for a, r in zip(angles.tolist(), radii.tolist(), strict=True)
    ]
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    light = np.add.outer(np.linspace(1, 0.6, side), np.linspace(0.1, -0.1, side))
    colour = np.asarray(Image.new("HSV", (1, 1), (int(rng.integers(256)), 190, 210)).convert("RGB"))
    thing = Image.fromarray((light[..., None] * colour[0, 0]).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(thing)
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.integers(120, 260, 2).tolist()
        wide, high = rng.integers(15, 60, 2).tolist()
        fill = tuple(rng.integers(0, 256, 3).tolist())
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + wide, y + high), fill=fill)
    page = Image.new("RGB", (side, side), "white")
    page.paste(thing, (0, 0), mask)
    return page


def drawing(theme: int, rng: np.random.Generator) -> Image.Image:
    """Draw lines and shapes in a theme's style, at places of their own."""
    style = np.random.default_rng(theme)
    page = Image.new("RGB", (480, 360), "white")
    draw = ImageDraw.Draw(page)
    colours = [tuple(style.integers(0, 200, 3).tolist()) for _ in range(3)]
    thick = int(style.integers(1, 6))
    shapes = style.choice(["ellipse", "rectangle", "line"], 2)
    for _ in range(int(rng.integers(6, 14))):
        x, y = rng.uniform(0, 400), rng.uniform(0, 280)
        box = (x, y, x + rng.uniform(20, 160), y + rng.uniform(20, 120))
        colour = colours[int(rng.integers(3))]
        kind = str(rng.choice(shapes))
        if kind == "line":
            draw.line(box, fill=colour, width=thick)
        elif kind == "ellipse":
            draw.ellipse(box, outline=colour, width=thick)
        else:
            draw.rectangle(box, outline=colour, width=thick)
    return page


MADE: dict[str, Callable[[int, np.random.Generator], Image.Image]] = {
    "documents": document,
    "products": product,
    "drawings": drawing,
}


@dataclass(frozen=True)
class Planted:
    """A picture made of another: `kind` None for another colour, which is neither."""

    path: str
    other: str
    change: str
    kind: str | None


def make_pictures(kind: str, folder: Path, count: int, *, seed: int) -> None:
    """Write pictures of a kind of MADE in five classes: those of one class are alike."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        place = folder / f"{kind}_{number % 5}" / f"{number:04d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        MADE[kind](number % 5, rng).save(place)


def plant(folder: Path, photos: list[Path], each: int, *, seed: int) -> Iterator[Planted]:
    """Write changed copies of photos beside them, `each` for every change, and yield them.

    All are saved as JPEG of a quality of 40 to 90.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(photos)).tolist()
    place = 0
    for change, (kind, make) in [*CHANGES.items(), ("another colour", (None, in_another_colour))]:
        done = 0
        for _ in range(min(5 * each, len(order))):
            photo = photos[order[place % len(order)]]
            place += 1
            with Image.open(photo) as image:
                made = make(ImageOps.exif_transpose(image).convert("RGB"), rng)
            if made is None:
                continue
            copy = photo.with_name(f"{photo.stem}-{change.replace(' ', '-')}.jpg")
            made.save(copy, quality=int(rng.integers(40, 91)))
            names = [path.relative_to(folder).as_posix() for path in (copy, photo)]
            yield Planted(names[0], names[1], change, kind)
            done += 1
            if done == each:
                break
