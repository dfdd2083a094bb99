"""Losses of this process, of packs wherever they lie, in isolated blocks and many threads."""

import asyncio
import re
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minigrad import loss, losses
from minigrad.engine.errors import PluginError, UnknownLossError
from minigrad.losses import lookup
from tests.losses.own import cubic, halves, odd, plain
from tests.losses.packs import good, install


def test_registering_gives_a_name_and_unregistering_takes_it_back(site):
    with pytest.raises(UnknownLossError):
        losses.get("cubic")
    assert losses.register(cubic) is cubic
    assert losses.get("cubic") is losses.get("here:cubic")
    assert str(losses.get("cubic")) == "here:cubic"
    losses.unregister("cubic")
    with pytest.raises(UnknownLossError):
        losses.get("cubic")
    with pytest.raises(UnknownLossError, match=r"losses\.unregister: no loss called 'cubic' was registered here"):
        losses.unregister("cubic")


def test_registering_a_name_again_replaces_it(site):
    losses.register(cubic)
    losses.register(odd.named("cubic"))
    assert losses.get("cubic")([3.0], [1.0]).item() == 2
    assert losses.names("here") == ["here:cubic"]
    losses.unregister("here:cubic")
    assert losses.names("here") == []


def test_a_name_of_this_process_comes_before_files_and_packs_and_loads_none(site):
    install(site, "robust", good("cubic"))
    losses.register(odd.named("cubic"))
    assert losses.get("cubic").full_name == "here:cubic"
    assert "pack_robust" not in sys.modules
    assert losses.get("robust:cubic")([3.0], [1.0]).item() == 8


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: cubic.named("mse"), "losses.register: expected a free name, got 'mse', which is built in; rename it"),
        (lambda: 0.5 * cubic + cubic, "got '0.5 \\* cubic \\+ cubic' .*; give the sum one with .named"),
        (lambda: cubic.named("a b"), "losses.register: expected a name of up to 40 letters, digits and _, got 'a b'"),
        (lambda: cubic.named("x" * 50), "up to 40 letters"),
        (lambda: cubic.named(""), "up to 40 letters"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_and_what_was_there_stays(made, message, site):
    losses.register(odd)
    with pytest.raises(PluginError, match=message):
        losses.register(made())
    assert losses.names("here") == ["here:odd"]
    assert losses.get("odd").name == "odd"
    assert losses.get("mse")([3.0], [1.0]).item() == 4


def test_a_registered_sum_and_a_bound_loss_keep_what_they_are(site):
    losses.register(halves)
    losses.register(odd.with_(scale=3.0).named("triple"))
    assert losses.get("halves")([3.0], [1.0]).item() == 5
    assert losses.get(str(losses.get("triple"))).given["scale"] == 3


def test_loss_alone_registers_nothing(site):
    loss(plain)
    with pytest.raises(UnknownLossError):
        losses.get("cubic")


def test_an_isolated_block_takes_everything_back_after_an_exception_too(site, tmp_path):
    install(site, "robust", good("tukey"))
    losses.register(odd)

    def block():
        with losses.isolated():
            with pytest.raises(UnknownLossError):
                losses.get("odd")
            losses.register(cubic)
            losses.get("tukey")
            raise KeyError

    with pytest.raises(KeyError):
        block()
    assert "robust" not in lookup.current().losses
    assert losses.names("here") == ["here:odd"]


def test_blocks_nest(site):
    losses.register(cubic)
    with losses.isolated():
        losses.register(odd)
        with losses.isolated():
            assert losses.names("here") == []
        assert losses.names("here") == ["here:odd"]
    assert losses.names("here") == ["here:cubic"]


def test_a_block_belongs_to_its_thread(site):
    with losses.isolated():
        losses.register(cubic)
        with ThreadPoolExecutor(1) as pool:
            assert "here:cubic" not in pool.submit(lambda: [loss.full_name for loss in lookup.current().all()]).result()


def test_a_block_belongs_to_its_async_task(site):
    async def own(name, others):
        with losses.isolated():
            losses.register(cubic.named(name))
            others.append(name)
            while len(others) < 20:
                await asyncio.sleep(0)
            return losses.names("here")

    async def all_of_them():
        others = []
        return await asyncio.gather(*(own(f"task_{i}", others) for i in range(20)))

    assert asyncio.run(all_of_them()) == [[f"here:task_{i}"] for i in range(20)]


def test_16_threads_that_look_up_at_once_find_the_same_and_import_each_pack_once(site):
    for i in range(8):
        count = f"import builtins\nbuiltins.imported_{i} = getattr(builtins, 'imported_{i}', 0) + 1\n"
        install(site, f"pack{i}", count + textwrap.dedent(good(f"loss_{i}")))
    script = """
    import builtins, sys, threading
    sys.path.insert(0, sys.argv[1])
    from minigrad import losses
    sys.setswitchinterval(1e-6)
    barrier, found, failed = threading.Barrier(16), [], []

    def look_up(k):
        barrier.wait()
        try:
            for i in range(8):
                j = (i + k) % 8
                assert losses.get("mse")([3.0], [1.0]).item() == 4
                assert losses.get(f"loss_{j}" if k % 2 else f"pack{j}:loss_{j}")([3.0], [1.0]).item() == 8
                losses.register(losses.get("mae").named(f"own_{k}_{j}"))
                assert losses.get(f"0.5 * own_{k}_{j} + mse")([3.0], [1.0]).item() == 5
            found.append(losses.get("loss_3"))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=look_up, args=(k,)) for k in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed, failed
    assert len({id(loss) for loss in found}) == 1
    assert len(losses.names("here")) == 128
    print([getattr(builtins, f"imported_{i}") for i in range(8)])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(site)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == str([1] * 8)


@pytest.mark.parametrize("spelt", ["", ".", "absolute", "link", "slash"])
def test_metadata_in_the_working_directory_are_not_read(spelt, site, tmp_path, monkeypatch):
    here = tmp_path / "here"
    install(here, "robust", good("tukey"))
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    entry = {"absolute": str(here), "link": str(tmp_path / "link"), "slash": f"{here}/"}.get(spelt, spelt)
    monkeypatch.syspath_prepend(entry)
    with pytest.raises(UnknownLossError, match="there is no pack 'robust'"):
        losses.get("robust:tukey")
    assert "pack_robust" not in sys.modules


def test_a_distribution_found_twice_counts_once_and_the_first_on_the_path_counts(site, tmp_path, monkeypatch):
    install(site, "robust", good("tukey"), version="2.0")
    second = tmp_path / "second"
    install(second, "robust", good("tukey"), version="1.0")
    install(second, "gone", good("gone"), distribution="Minigrad.Robust", version="0.9")
    sys.path.append(str(second))
    try:
        assert losses.get("tukey").owner.version == "2.0"
        with pytest.raises(UnknownLossError, match="there is no pack 'gone'"):
            losses.get("gone:gone")
    finally:
        sys.path.remove(str(second))


def test_what_is_installed_later_is_found_when_asked_for_again(site):
    with pytest.raises(UnknownLossError):
        losses.get("robust:tukey")
    install(site, "robust", good("tukey"))
    assert losses.get("robust:tukey").name == "tukey"


@pytest.mark.parametrize(("listed", "left"), [("", []), ("robust", ["robust"]), (" vision , other", ["vision"])])
def test_the_variable_lets_in_the_packs_that_it_lists(listed, left, site, monkeypatch):
    install(site, "robust", good("tukey"))
    install(site, "vision", good("dice"))
    monkeypatch.setenv("MINIGRAD_PLUGINS", listed)
    assert [name for name in losses.names() if ":" in name] == [
        f"{p}:{dict(robust='tukey', vision='dice')[p]}" for p in left
    ]
    for pack in {"robust", "vision"} - set(left):
        assert f"pack_{pack}" not in sys.modules
        with pytest.raises(
            UnknownLossError,
            match=re.escape(f"the pack '{pack}' (minigrad-{pack} 1.0) is left out by MINIGRAD_PLUGINS={listed!r}"),
        ):
            losses.get(f"{pack}:x")


def test_a_package_with_many_modules_is_a_pack_too(site):
    install(
        site, "robust",
        {"minigrad_robust/__init__.py": "from minigrad_robust.offer import minigrad_losses\n",
         "minigrad_robust/offer.py": good("tukey")}, module="minigrad_robust",
    )  # fmt: skip
    assert losses.get("tukey").owner.distribution == "minigrad-robust"


def test_an_entry_point_may_name_an_object_within_a_module(site):
    source = "from minigrad import hookimpl, losses\nclass Plugin:\n    @hookimpl\n    def minigrad_losses(self):\n        return (losses.get('mae').named('distance'),)\nplugin = Plugin()\n"
    install(site, "robust", source, value="pack_robust:plugin")
    assert losses.get("distance").full_name == "robust:distance"


def test_looking_up_does_not_hold_up_who_needs_no_plugin():
    """While one thread holds the lock of plugins, built-in losses and sums of them are found by others."""
    held, release, found = threading.Event(), threading.Event(), []

    def hold():
        with lookup._lock:
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    other = threading.Thread(target=lambda: found.append(losses.get("0.5 * mse + 0.5 * mae")))
    other.start()
    other.join(60)
    release.set()
    thread.join(60)
    assert str(found[0]) == "0.5 * mse + 0.5 * mae"
