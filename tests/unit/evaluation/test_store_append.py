"""A dataset that has grown is appended to its store: only what is new is encoded, nothing old moves."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipeval import evaluate, load_encoder
from clipeval.data import Dataset, Item
from clipeval.encoders.store_items import PortionItems, items_bytes
from clipeval.encoders.store_layout import laid_out, text_tensor
from clipeval.errors import ClipevalError, DatasetError, EncoderError, NotAvailableError
from clipeval.evaluation.embed import embed_images, embed_texts
from clipeval.evaluation.store import embed_to_store


@pytest.fixture
def old(coloured) -> Dataset:
    """Sixty items of fifty distinct pictures (two shards), with 121 distinct captions (one shard)."""
    return coloured(*[(n % 50, f"caption {n}", f"more on {n}", "the same") for n in range(60)], name="old")


@pytest.fixture
def new(coloured) -> Dataset:
    """Forty items: thirty new pictures among them twice, ten of the old; half of the captions are there."""
    rows = [(100 + n if n < 30 else n, f"id=new{n}.png", f"caption {n}", f"new {n}") for n in range(40)]
    return coloured(*rows, (105, "id=twin.png", "the same"), name="new")


@pytest.fixture
def grown(old: Dataset, new: Dataset) -> Dataset:
    """New items before, between and behind the old ones."""
    return Dataset(
        "grown", (*new.items[:9], *old.items[:30], *new.items[9:30], *old.items[30:], *new.items[30:])
    )


@pytest.fixture
def store(counting, old: Dataset, tmp_path: Path) -> Path:
    embed_to_store(counting(), old, tmp_path / "store", shard_size=32)
    return tmp_path / "store"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_what_is_new_is_encoded_and_what_is_old_stays_byte_for_byte(
    store: Path, counting, old: Dataset, grown: Dataset
) -> None:
    before = {name: data for name, data in content(store).items() if name != "manifest.json"}
    encoder = counting()
    done = embed_to_store(encoder, grown, store, append=True)
    assert sorted(encoder.images) == sorted(f"({100 + n}, 1, 2)" for n in range(30))
    assert sorted(encoder.texts) == sorted(f"new {n}" for n in range(40))
    assert (done.appended, done.encoded, done.made, done.kept) == (41, 70, 2, 3)
    assert (done.mended, done.given_up) == ((), ())
    after = content(store)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {
        "manifest.json",
        "items-00001.safetensors",
        "images-00002.safetensors",
        "texts-00001.safetensors",
    }


def test_the_store_serves_all_items_the_old_ones_as_before(
    store: Path, counting, old: Dataset, new: Dataset, grown: Dataset
) -> None:
    before = evaluate(load_encoder(f"frozen:{store}"), old)
    embed_to_store(counting(), grown, store, append=True)
    encoder = load_encoder(f"frozen:{store}")
    assert encoder.play_images(old.ids).tobytes() == before.images.tobytes()
    assert encoder.play_texts(old.caption_ids).tobytes() == before.texts.tobytes()
    # new content is encoded in batches of its own, in the order of its content
    fresh = Dataset("fresh", tuple(Item(i.id, i.captions[-1:], i.picture) for i in new.items[:30]))
    assert encoder.play_images(fresh.ids).tobytes() == embed_images(counting(), fresh).rows.tobytes()
    captions = Dataset("captions", tuple(replace(i, captions=i.captions[1:]) for i in new.items[:40]))
    played = encoder.play_texts([f"{key}#1" for key in captions.ids])
    assert played.tobytes() == embed_texts(counting(), captions).rows.tobytes()
    assert evaluate(encoder, grown).ranks.t2i.rank.shape == (grown.n_captions,)


def test_items_with_a_picture_or_a_caption_that_is_there_share_its_row(
    store: Path, counting, grown: Dataset
) -> None:
    embed_to_store(counting(), grown, store, append=True)
    encoder = load_encoder(f"frozen:{store}")
    one, other = encoder.play_images(["new33.png", "item33.png"])
    assert one.tobytes() == other.tobytes()
    one, other = encoder.play_images(["twin.png", "new5.png"])
    assert one.tobytes() == other.tobytes()
    for key in ("new7.png#0", "item7.png#0"), ("twin.png#0", "item59.png#2"):
        one, other = encoder.play_texts(key)
        assert one.tobytes() == other.tobytes()


def test_rows_differ_from_those_of_a_store_made_in_one_go_by_their_company_only(
    store: Path, counting, grown: Dataset, tmp_path: Path
) -> None:
    embed_to_store(counting(), grown, store, append=True)
    embed_to_store(counting(), grown, tmp_path / "one go", shard_size=32)
    appended, at_once = (load_encoder(f"frozen:{tmp_path}/{name}") for name in ("store", "one go"))
    difference = appended.play_images(grown.ids) - at_once.play_images(grown.ids)
    # `Counting` moves a row by 1e-6 for each place in the batch, tower and bridge alike
    assert 0 < np.abs(difference).max() < 2e-6 * 32 + 1e-6


def test_the_same_commands_in_the_same_order_make_the_same_bytes(
    store: Path, counting, old: Dataset, new: Dataset, grown: Dataset, tmp_path: Path
) -> None:
    again, shuffled = tmp_path / "again", Dataset("grown", grown.items[::-1])
    embed_to_store(counting(), old, again, shard_size=32)
    for folder in (store, again):
        embed_to_store(counting(), grown, folder, append=True)
        more = Dataset("more", (*shuffled.items, replace(new.items[0], id="last.png", captions=("last",))))
        embed_to_store(counting(), more, folder, append=True)
    assert content(store) == content(again)


def test_it_is_appended_to_again_and_again(store: Path, counting, old: Dataset, coloured) -> None:
    data = old
    for round_ in range(4):
        more = coloured(*[(100 + 10 * round_ + n, f"id={round_}-{n}", f"{round_}: {n}") for n in range(10)])
        data = Dataset(f"round {round_}", (*more.items, *data.items[::-1]))
        encoder = counting()
        done = embed_to_store(encoder, data, store, append=True)
        assert (done.appended, len(encoder.images), len(encoder.texts)) == (10, 10, 10)
    assert done.manifest.n_shards == 3 + 2 * 4
    played = load_encoder(f"frozen:{store}").play_images(data.ids)
    assert np.abs(played - embed_images(counting(), data).rows).max() < 2e-6 * 33
    # all of it is one store now: the plain command finds everything in its place
    assert embed_to_store(counting(), data, store).made == 0


def test_what_brings_no_new_picture_and_no_new_caption_makes_no_shard(
    store: Path, counting, old: Dataset
) -> None:
    copies = (Item(f"copy{n}", old.items[n].captions[::-1], old.items[n + 1].picture) for n in range(20))
    data = Dataset("copies", (*copies, *old.items))
    encoder = counting()
    done = embed_to_store(encoder, data, store, append=True)
    assert (done.appended, done.encoded, done.made, encoder.images, encoder.texts) == (20, 0, 0, [], [])
    played = load_encoder(f"frozen:{store}")
    one, other = played.play_images(["copy0", "item1.png"])
    assert one.tobytes() == other.tobytes()
    one, other = played.play_texts(["copy0#0", "item0.png#2"])
    assert one.tobytes() == other.tobytes()
    assert embed_to_store(counting(), data, store).made == 0


@pytest.mark.parametrize("change", ["nothing", "order", "categories"])
def test_where_nothing_is_new_the_store_is_not_touched(
    store: Path, counting, old: Dataset, change: str
) -> None:
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in store.iterdir()}
    data = {
        "nothing": old,
        "order": Dataset("turned", old.items[::-1]),
        "categories": Dataset("sorted", tuple(replace(item, category="a") for item in old.items)),
    }[change]
    encoder = counting()
    done = embed_to_store(encoder, data, store, append=True)
    assert (done.appended, done.encoded, done.made, done.kept, encoder.images) == (0, 0, 0, 3, [])
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in store.iterdir()} == before


def changed(grown: Dataset, *, at: str, **fields: object) -> Dataset:
    return Dataset("grown", tuple(replace(i, **fields) if i.id == at else i for i in grown.items))


def test_an_old_item_that_has_changed_or_is_gone_is_named(
    store: Path, counting, grown: Dataset, tmp_path: Path
) -> None:
    before, encoder = content(store), counting()
    one, other = grown.items[20], grown.items[21]
    assert one.id == "item11.png"
    gone = Dataset("less", tuple(item for item in grown.items if item.id not in ("item11.png", "item12.png")))
    for data, words in (
        (changed(grown, at=one.id, picture=other.picture), "the item 'item11.png' has another picture than"),
        (changed(grown, at=one.id, captions=("new",)), "the item 'item11.png' has other captions than when"),
        (
            changed(grown, at=one.id, captions=one.captions[::-1]),
            "the item 'item11.png' has other captions than when it was embedded",
        ),
        (gone, "2 of the 60 items in the store are not in this dataset, the first is 'item11.png'"),
    ):
        for append in (True, False):
            with pytest.raises(DatasetError, match=words) as refusal:
                embed_to_store(encoder, data, store, append=append)
            assert "into another folder" in str(refusal.value.fix)
    assert (content(store), encoder.images, encoder.texts) == (before, [], [])


def test_an_item_that_was_appended_is_old_from_then_on(store: Path, counting, grown: Dataset) -> None:
    embed_to_store(counting(), grown, store, append=True)
    other = changed(grown, at="new3.png", captions=("else",))
    with pytest.raises(DatasetError, match=r"the item 'new3\.png' has other captions"):
        embed_to_store(counting(), other, store, append=True)


def test_without_the_option_a_dataset_that_has_grown_is_refused_and_the_option_named(
    store: Path, counting, old: Dataset, grown: Dataset
) -> None:
    before, encoder = content(store), counting()
    with pytest.raises(DatasetError, match=r"has grown .*60 items are unchanged, 41 more are new") as refusal:
        embed_to_store(encoder, grown, store)
    assert "the first is 'new0.png'" in refusal.value.what
    assert "--append embeds what is new" in str(refusal.value.fix)
    with pytest.raises(
        DatasetError, match="holds the store's 60 items, unchanged, but their order"
    ) as turned:
        embed_to_store(encoder, Dataset("turned", old.items[::-1]), store)
    assert "frozen:STORE serves this dataset as it is" in str(turned.value.fix)
    assert (content(store), encoder.images, encoder.texts) == (before, [], [])


def test_an_unfinished_store_is_to_be_finished_first(
    counting, old: Dataset, grown: Dataset, tmp_path
) -> None:
    store, encoder = tmp_path / "store", counting()
    encoder.break_on = "(7, 1, 2)"
    with pytest.raises(EncoderError, match="NaN"):
        embed_to_store(encoder, old, store, shard_size=32)
    with pytest.raises(
        DatasetError, match="begun with another dataset, and it is not finished: 60"
    ) as refusal:
        embed_to_store(counting(), grown, store, append=True)
    assert "finish it first, with the data as it was, then append" in str(refusal.value.fix)
    assert "(DATA: the dataset 'old')" in str(refusal.value.fix)
    # with the dataset that it was begun with there is nothing to refuse
    assert embed_to_store(counting(), old, store, append=True).appended == 0
    assert embed_to_store(counting(), grown, store, append=True).appended == 41


def test_there_must_be_a_store_to_append_to(counting, grown: Dataset, tmp_path: Path) -> None:
    encoder = counting()
    with pytest.raises(NotAvailableError, match=r"there is no store '.*mistyped' to append to"):
        embed_to_store(encoder, grown, tmp_path / "mistyped", append=True)
    assert not (tmp_path / "mistyped").exists()
    assert encoder.texts == []


def test_another_model_other_settings_and_another_shard_size_are_refused(
    store: Path, counting, grown: Dataset
) -> None:
    other = counting(words={"name": "counting", "width": "8", "dtype": "float16"})
    for encoder, more, words in (
        (other, {}, "begun with another model: 'dtype' is absent there, 'float16' here"),
        (counting(), {"settings": {"batch size": "64"}}, "begun with other settings: 'batch size'"),
        (counting(), {"shard_size": 64}, "begun with 32 pictures and 256 captions in a shard, not 64"),
    ):
        with pytest.raises(EncoderError, match=words):
            embed_to_store(encoder, grown, store, append=True, **more)
        assert encoder.texts == []


def test_while_it_is_appended_to_the_store_reads_as_before_and_a_second_job_is_refused(
    store: Path, counting, old: Dataset, grown: Dataset
) -> None:
    seen: list[Sequence[int]] = []

    def look(step: str, done: int, total: int) -> None:
        if step == "reading":
            return
        encoder = load_encoder(f"frozen:{store}")
        assert encoder.play_images(old.ids).shape == (60, 8)
        with pytest.raises(EncoderError, match="41 of 101 ids have no images here") as refusal:
            encoder.play_images(grown.ids)
        assert "add what is new: clipeval embed --model counting:encoder --data DATA" in str(
            refusal.value.fix
        )
        assert str(refusal.value.fix).endswith(f"--out {store} --append")
        with pytest.raises(NotAvailableError, match="another job is writing this store"):
            embed_to_store(counting(), grown, store, append=True)
        seen.append((done, total))

    embed_to_store(counting(), grown, store, append=True, progress=look)
    assert seen == [(121, 161), (161, 161), (50, 80), (80, 80)]


def interrupted(counting, data: Dataset, store: Path) -> None:
    """Append, and stop when the captions are there and the first pictures come."""
    encoder = counting()

    def stop(pictures: object) -> None:
        raise KeyboardInterrupt

    encoder.encode_images = stop
    with pytest.raises(KeyboardInterrupt):
        embed_to_store(encoder, data, store, append=True)


def test_an_append_that_was_given_up_leaves_nothing_in_the_next(
    store: Path, counting, coloured, old: Dataset, grown: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(store, tmp_path / "other")
    more = coloured(*[(200, f"id=x{n}", f"{n} more") for n in range(600)])
    interrupted(counting, Dataset("given up", (*old.items, *more.items)), store)
    assert (store / "texts-00003.safetensors").exists()
    done = embed_to_store(counting(), grown, store, append=True)
    assert done.given_up == tuple(f"texts-0000{n}.safetensors" for n in (1, 2, 3))
    assert done.mended == ()
    embed_to_store(counting(), grown, tmp_path / "other", append=True)
    assert content(store) == content(tmp_path / "other")


def test_an_unfinished_append_is_left_alone_by_the_plain_command_and_goes_on_later(
    store: Path, counting, old: Dataset, grown: Dataset
) -> None:
    interrupted(counting, grown, store)
    assert (store / "texts-00001.safetensors").exists()
    assert embed_to_store(counting(), old, store).made == 0
    encoder = counting()
    done = embed_to_store(encoder, grown, store, append=True)
    assert (done.kept, done.made, encoder.texts, done.given_up) == (4, 1, [], ())


FILES = ["images-00000", "images-00002", "texts-00000", "texts-00001", "items-00000", "items-00001"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["absent", "altered"])
def test_every_file_that_is_damaged_is_made_again_as_it_was(
    store: Path, counting, grown: Dataset, name: str, how: str
) -> None:
    embed_to_store(counting(), grown, store, append=True)
    before, path = content(store), store / f"{name}.safetensors"
    if how == "absent":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] + b"123456789")
    done = embed_to_store(counting(), grown, store)
    assert done.mended == (path.name,)
    assert content(store) == before


def test_an_append_mends_what_is_damaged(store: Path, counting, grown: Dataset, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "sound")
    embed_to_store(counting(), grown, tmp_path / "sound", append=True)
    (store / "images-00001.safetensors").write_bytes(b"broken")
    done = embed_to_store(counting(), grown, store, append=True)
    assert (done.mended, done.made) == (("images-00001.safetensors",), 3)
    assert content(store) == content(tmp_path / "sound")


def test_nothing_is_appended_where_nobody_knows_any_more_what_the_old_items_were(
    store: Path, counting, old: Dataset, grown: Dataset, new: Dataset
) -> None:
    embed_to_store(counting(), grown, store, append=True)
    before = content(store)
    more = Dataset("more", (*grown.items, replace(new.items[0], id="last.png")))
    (store / "items-00001.safetensors").write_bytes(b"broken")
    with pytest.raises(EncoderError, match="the file was altered") as refusal:
        embed_to_store(counting(), more, store, append=True)
    assert refusal.value.where == "store, 'items-00001.safetensors'"
    assert "(DATA: the dataset 'grown') makes it again" in str(refusal.value.fix)
    with pytest.raises(EncoderError, match="the file was altered"):
        load_encoder(f"frozen:{store}")
    (store / "items-00000.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"items-00000\.safetensors, items-00001\.saf") as both:
        embed_to_store(counting(), grown, store)
    assert "restore all but one of them" in str(both.value.fix)
    (store / "items-00000.safetensors").write_bytes(before["items-00000.safetensors"])
    embed_to_store(counting(), grown, store)
    assert content(store) == before


ONE = np.zeros((1, 32), dtype=np.uint8)
NONE_SHARED = {"images": {}, "texts": {}}


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        (b"\xff" * 200, "the file was altered"),
        (items_bytes(PortionItems(("a",), ONE, ONE, {"images": {"a": 50}, "texts": {}})), "was altered"),
        (items_bytes(PortionItems(("a",), ONE, ONE, {"images": {"a": -1}, "texts": {}})), "was altered"),
        (items_bytes(PortionItems(("a",), ONE, ONE, {"images": {"a": True}, "texts": {}})), "was altered"),
        (laid_out({"ids": text_tensor(["a"])}, metadata={}), "was altered"),
        (items_bytes(PortionItems(("a",), ONE, ONE, NONE_SHARED)), "the shards hold 91 ids of images"),
        (
            items_bytes(PortionItems(("a",), ONE, ONE, {"images": {"item3.png": 3}, "texts": {}})),
            "the id 'item3.png' is used twice",
        ),
    ],
    ids=range(7),
)
def test_a_forged_file_of_items_is_a_clear_error(
    store: Path, counting, grown: Dataset, forged: bytes | list[bytes], words: str
) -> None:
    embed_to_store(counting(), grown, store, append=True)
    data = forged if isinstance(forged, bytes) else b"".join(forged)
    (store / "items-00001.safetensors").write_bytes(data)
    document = json.loads((store / "manifest.json").read_bytes())
    document["portions"][1]["items"]["sha256"] = hashlib.sha256(data).hexdigest()
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match=words):
        load_encoder(f"frozen:{store}")


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (PortionItems(("a", "b"), ONE, ONE, NONE_SHARED), "the file was altered"),
        (PortionItems(("a",), ONE, ONE[:, :9], NONE_SHARED), "the file was altered"),
        (PortionItems((1,), ONE, ONE, NONE_SHARED), "the file was altered"),
        (PortionItems(("a",), ONE, ONE, NONE_SHARED), "the first is 'a'"),
    ],
    ids=range(4),
)
def test_nothing_is_appended_to_forged_items(
    store: Path, counting, grown: Dataset, items: PortionItems, words: str
) -> None:
    data = b"".join(items_bytes(items))
    (store / "items-00000.safetensors").write_bytes(data)
    document = json.loads((store / "manifest.json").read_bytes())
    document["portions"][0]["items"]["sha256"] = hashlib.sha256(data).hexdigest()
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    encoder = counting()
    with pytest.raises(ClipevalError, match=words):
        embed_to_store(encoder, grown, store, append=True)
    assert encoder.texts == []


def test_odd_ids_and_captions_are_appended_and_found(store: Path, counting, old: Dataset) -> None:
    ids = ("caf\udce9.png", "日本/語.png", "a#0", "a", "a#0#0", " ", "q\"u'o\\te\n", "-", "…/../x", "NaN")
    odd = tuple(Item(key, (f"of {n} 🐈", "the same"), old.items[n].picture) for n, key in enumerate(ids))
    data = Dataset("odd", (*odd, *old.items))
    embed_to_store(counting(), data, store, append=True)
    played = load_encoder(f"frozen:{store}")
    assert played.play_images(ids).tobytes() == played.play_images(old.ids[:10]).tobytes()
    keys = [key for key in data.caption_ids if key not in set(old.caption_ids)]
    assert np.abs(played.play_texts(keys) - embed_texts(counting(), Dataset("", odd)).rows).max() < 1e-4
    again = Dataset("again", (*data.items[::-1], Item("last", ("last",), old.items[0].picture)))
    assert embed_to_store(counting(), again, store, append=True).appended == 1


# the fixtures are a class and a function, which no example changes
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_however_a_dataset_grows_each_content_is_encoded_once_and_every_id_finds_its_row(
    counting, coloured, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    store = tmp_path_factory.mktemp("grows") / "store"
    colours, words = st.integers(0, 40), st.integers(0, 30).map(lambda n: f"{'x' * (n % 3)} {n}")
    encoder, items = counting(), ()
    for number in range(data.draw(st.integers(1, 4))):
        rows = data.draw(st.lists(st.tuples(colours, st.lists(words, min_size=1, max_size=3)), min_size=1))
        new = coloured(*[(c, f"id={number}-{n}", *texts) for n, (c, texts) in enumerate(rows)])
        items = tuple(data.draw(st.permutations([*items, *new.items])))
        done = embed_to_store(encoder, Dataset("any", items), store, append=number > 0, shard_size=1)
        assert done.appended == (len(new.items) if number else 0)
    whole = Dataset("any", items)
    assert len(encoder.images) == len(set(encoder.images))
    assert sorted(encoder.texts) == sorted(set(whole.captions))
    played = load_encoder(f"frozen:{store}")
    for rows, one_go in (
        (played.play_images(whole.ids), embed_images(counting(), whole).rows),
        (played.play_texts(whole.caption_ids), embed_texts(counting(), whole).rows),
    ):
        assert np.abs(rows - one_go).max() < 1e-3
