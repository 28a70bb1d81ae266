"""`python -m npukit.aipp`: write `aipp_configs/` anew from the table of presets."""

from npukit.aipp.presets import preset_folder, write_presets

if __name__ == "__main__":
    write_presets(preset_folder())
