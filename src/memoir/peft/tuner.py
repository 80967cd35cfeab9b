"""Exported edits in a model that PEFT holds.

A thin layer: the method that made the edits acts on the model by its own attachment, as in an editor.
What is here keeps PEFT's promises about adapters:

* one adapter is active, and only its method is attached to the model. Making another one active folds
  its edits anew;
* ``disable_adapter()`` leaves the model as it is without any, bit for bit, in every thread;
* numbers stay as they were written: ``autocast_adapter_dtype`` casts nothing, ``torch_device`` and
  ``low_cpu_mem_usage`` change nothing, and edits follow the model when it is moved;
* what cannot be right is refused: training, merging, two adapters at once, another kind of adapter in
  the same model, and a model of which parts are offloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import Tensor, nn

from memoir.errors import (
    BadInput,
    BadTransfer,
    NotMergeable,
    UnknownName,
    WrongModel,
)
from memoir.fold import check_model, unedited
from memoir.host import Host
from memoir.host.scoped import Scoped
from memoir.methods.base import Method
from memoir.peft.base import refuse_unfit
from memoir.peft.carried import PREFIX, Carried
from memoir.peft.config import EditsConfig
from memoir.store import taught


class Adapters(nn.Module, BaseTunerLayer):
    """The adapters of a model by name, which of them is active, and whether they are enabled.

    Attributes:
        carried: tensors of each; None until they are loaded.
    """

    other_param_names: tuple[str, ...] = ("carried",)
    base_layer: None = None  # no layer of the model is wrapped

    def __init__(self, active: str) -> None:
        super().__init__()
        self.carried: dict[str, Carried | None] = {}
        self.set_adapter(active)

    def _get_available_adapters(self) -> set[str]:
        return set(self.carried)


class EditsTuner(BaseTuner):
    """The model with adapters of edits; PEFT makes it and asks it."""

    prefix = "@"  # no parameter's name has it, and no adapter's name is a part of it
    tuner_layer_cls = Adapters
    uses_shared_state = True  # so PEFT refuses to put adapters into a model that it does not hold

    def __init__(
        self, model: nn.Module, peft_config: Any, adapter_name: str, *args: Any, **kwargs: Any
    ) -> None:
        refuse_unfit(model)
        super().__init__(model, peft_config, adapter_name, *args, **kwargs)

    # ------------------------------------------------------------------ adapters come and go

    def _pre_injection_hook(self, model: nn.Module, config: Any, adapter_name: str) -> None:
        self.adapters = Adapters(adapter_name)
        self._method: Method | None = None
        self._attached: Carried | None = None

    def inject_adapter(self, model: nn.Module, adapter_name: str, *_: Any, **__: Any) -> None:
        """Make room for an adapter, whose tensors come later."""
        if not self.peft_config[adapter_name].inference_mode:
            raise BadInput(
                f"the adapter '{adapter_name}' holds edits, and PEFT cannot train them. Make them with "
                "memoir edit, write them with memoir export-peft, and load them with "
                "PeftModel.from_pretrained(model, FOLDER)."
            )
        self.adapters.carried[adapter_name] = None

    def load(self, adapter_name: str, tensors: Mapping[str, Tensor]) -> None:
        """Take an adapter's tensors in; if they cannot be used, the adapter is gone again.

        Raises:
            BadTransfer: they, or what the config says, are not what was written.
            WrongModel: the edits were made for another model.
        """
        try:
            config, carried = self._config(adapter_name), Carried.among(tensors)
            if carried.checksum(config.said) != config.checksum:
                raise BadTransfer(
                    f"the adapter '{adapter_name}' is not what memoir export-peft wrote: its files are "
                    "damaged, or were altered; nothing of it is in force. Fetch it again, or ask "
                    "whoever made it."
                )
            check_model(
                self._host(adapter_name, carried), config.settings["identity"], _whose(adapter_name)
            )
            self.adapters.carried[adapter_name] = carried
            self._settle()
        except BaseException:
            self._forget(adapter_name)
            raise

    def set_adapter(self, adapter_name: str | list[str], inference_mode: bool = False) -> None:
        """Make one adapter active.

        Raises:
            BadInput: several are given, or none of that name is there.
        """
        names = [adapter_name] if isinstance(adapter_name, str) else adapter_name
        if len(names) != 1 or names[0] not in self.adapters.carried:
            raise BadInput(
                f"{names} cannot be active: edits of two adapters may answer one prompt, so exactly "
                f"one of {sorted(self.adapters.carried)} is active at a time. To have the edits of two "
                "stores together, merge them (memoir pull, memoir merge) and export the result."
            )
        self.adapters.set_adapter(names)
        self.active_adapter = names[0]
        self._settle()

    def delete_adapter(self, adapter_name: str) -> None:
        """Forget an adapter; if it was active, another one is from now on."""
        if adapter_name not in self.peft_config:
            raise ValueError(f"Adapter {adapter_name} does not exist")
        self._forget(adapter_name)

    def _forget(self, name: str) -> None:
        self.adapters.delete_adapter(name)
        self.peft_config.pop(name, None)
        self.active_adapter = list(self.adapters.active_adapters)
        self._settle()
        if not self.peft_config:
            vars(self.model).pop("peft_config", None)

    def unload(self) -> nn.Module:
        """The model alone, as it was before the first adapter."""
        self._detach()
        self.adapters = Adapters("")
        self.peft_config.clear()
        vars(self.model).pop("peft_config", None)
        return self.model

    # ------------------------------------------------------------------ in force, and not

    def _settle(self) -> None:
        """Have the method of the active adapter on the model, and no other."""
        name = next(iter(self.adapters.active_adapters), "")
        wanted = self.adapters.carried.get(name)
        if wanted is not self._attached:
            self._detach()
            if wanted is not None:
                self._method = self._folded(name, wanted)
                self._attached = wanted
        if self._method is not None:
            assert isinstance(self._method.attachment, Scoped)
            self._method.attachment.enabled = not self.adapters.disable_adapters

    def _detach(self) -> None:
        if self._method is not None:
            with self._unmarked():
                self._method.close()
        self._method = self._attached = None

    def _folded(self, name: str, carried: Carried) -> Method:
        """The method of an adapter on the model, with every edit applied."""
        config, tensors = self._config(name), carried.edits()
        host = self._host(name, carried)
        with self._unmarked():
            method = unedited(host, config.settings, carried.settings(), _whose(name))
            try:
                if not isinstance(method.attachment, Scoped):
                    raise BadInput(
                        f"the method {config.settings['method']} changes the model itself, which PEFT "
                        "cannot undo: write its edits as a checkpoint with memoir merge-weights."
                    )
                for row in config.rows:
                    method.apply(row.id, taught(row), tensors.get(row.id, {}))
            except BaseException:
                method.close()
                raise
        return method

    def _host(self, name: str, carried: Carried) -> Host:
        settings = self._config(name).settings
        try:
            return Host(self.model, carried.tokenizer(), settings["site"])
        except UnknownName as error:
            raise WrongModel(
                f"{_whose(name)} was made for {settings['identity']['model']}, but this is a "
                f"{type(self.model).__name__}: {error} Load it into that model."
            ) from error

    def _config(self, name: str) -> EditsConfig:
        config = self.peft_config[name]
        assert isinstance(config, EditsConfig)
        return config

    @contextmanager
    def _unmarked(self) -> Iterator[None]:
        """While open, the model does not tell that PEFT holds it: a method may put layers of PEFT's
        into it, and expects to be the only one that does."""
        vars(self.model).pop("peft_config", None)
        try:
            yield
        finally:
            self.model.peft_config = self.peft_config

    def _enable_adapter_layers(self, enabled: bool = True) -> None:
        super()._enable_adapter_layers(enabled)  # of a method that has such
        self.adapters.enable_adapters(enabled)
        self._settle()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """Move or convert the model: the edits are folded anew, where it is now."""
        moved = super()._apply(fn, recurse)
        if getattr(self, "_method", None) is not None:
            self._detach()
            self._settle()
        return moved

    @contextmanager
    def _enable_peft_forward_hooks(self, *_: Any, **kwargs: Any) -> Iterator[None]:
        """Around every pass and every ``generate`` of PEFT's model."""
        if kwargs.get("adapter_names") is not None:
            raise BadInput(
                "rows of one batch cannot have edits of several adapters (adapter_names); make one "
                "active with set_adapter, and ask the others in batches of their own."
            )
        for name in self.adapters.active_adapters:
            if self._attached is None or self._attached is not self.adapters.carried.get(name):
                raise BadInput(
                    f"the edits of the adapter '{name}' are not in force: it was not loaded, or could "
                    "not be. Load it with PeftModel.from_pretrained(model, FOLDER)."
                )
        yield

    # ------------------------------------------------------------------ files

    @classmethod
    def _remap_adapter_state_dict_for_load(
        cls,
        model: Any,
        config: Any,
        adapter_name: str,
        state_dict: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Take our tensors out of what was read, before PEFT looks for parameters of these names."""
        model.base_model.load(adapter_name, state_dict)
        return {name: each for name, each in state_dict.items() if not name.startswith(PREFIX)}

    @classmethod
    def _get_adapter_state_dict(
        cls, model: Any, config: Any, adapter_name: str, *_: Any, **__: Any
    ) -> dict[str, Tensor]:
        """The tensors to save."""
        carried = model.base_model.adapters.carried[adapter_name]
        return {} if carried is None else dict(carried.tensors)

    @classmethod
    def _remove_adapter_name_from_key(cls, key: str, adapter_name: str) -> str:
        return key

    # ------------------------------------------------------------------ what adapters of edits lack

    def _create_and_replace(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("nothing in the model is replaced")

    def merge_adapter(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: what is decided for each prompt anew fits into no weights."""
        raise NotMergeable(
            "edits that act on some prompts only cannot be merged into weights; keep the adapter, or "
            "teach them to a store of a method that changes weights and use memoir merge-weights."
        )

    def merge_and_unload(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse, see :meth:`merge_adapter`."""
        self.merge_adapter()


def _whose(name: str) -> str:
    return f"the adapter '{name}'"
