"""The tables of `andon bench`."""

from rich.console import Group
from rich.table import Table

from deploy.sizing.measured import (
    BenchFigures,
    CarriedCameras,
    Encoding,
    LineFigures,
    MachineFigures,
    ModelFigures,
    PictureFigures,
)


def shown(found: BenchFigures) -> Group:
    parts: list[Table | str] = [_machine(found.machine)]
    if found.pictures:
        parts.append(_pictures(found.pictures))
    if found.model is not None:
        parts.append(_model(found.model))
    if found.line is not None:
        parts.append(_line(found.line, found.encoding))
    if found.carried:
        parts.append(_carried(found))
        parts += sorted({f"limit at {row.width}x{row.height}: {row.limit}" for row in found.carried})
    parts += [f"not measured: {gap}" for gap in found.not_measured]
    parts.append(f"measured in {found.seconds:.0f} s")
    return Group(*parts)


def _machine(here: MachineFigures) -> str:
    units = ", ".join(here.vector_units) or "no vector units known"
    cores = f"{here.cores} core{'s' if here.cores > 1 else ''}, {here.memory_bytes / 1e9:.0f} GB"
    busy = f"; {here.load:g} processes were busy before: other work disturbed this" if here.load > 1 else ""
    return f"{here.processor}: {cores}, {units}; {here.gpu or 'no GPU'}{busy}"


def _table(title: str, *columns: str) -> Table:
    table = Table(columns[0], title=title, title_justify="left", min_width=len(title))
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _pictures(rows: tuple[PictureFigures, ...]) -> Table:
    columns = ("picture", "H.264, kB", "JPEG, kB", "H.264 to BGR", "encode JPEG", "decode JPEG", "decode PNG")
    table = _table("CPU ms a frame", *columns)
    for row in rows:
        times = (row.h264_decode_ms, row.jpeg_encode_ms, row.jpeg_decode_ms, row.png_decode_ms)
        sizes = (f"{size / 1000:.0f}" for size in (row.h264_bytes, row.jpeg_bytes))
        table.add_row(f"{row.width}x{row.height}", *sizes, *(f"{time:.2f}" for time in times))
    return table


def _model(model: ModelFigures) -> Table:
    title = f"{model.weights}: {model.runtime} {model.precision} on {model.device}, {model.imgsz} px"
    table = _table(title, "batch", "ms a frame", "ms a batch", "CPU ms a frame")
    for row in model.batches:
        table.add_row(str(row.batch), f"{row.ms:.2f}", f"{row.batch_ms:.1f}", f"{row.cpu_ms:.2f}")
    return table


def _line(line: LineFigures, encoding: Encoding) -> Table:
    title = (
        f"the whole line: {line.cameras} cameras of {line.width}x{line.height} at {line.fps:g} frames/s ({encoding}),"
        f" {line.frames_per_s:.0f} of {line.captured_per_s:.0f} frames/s inspected, {line.busy:.0%} of all cores"
    )
    table = _table(title, "process", "CPU ms a frame")
    for name, ms in line.cpu_ms.items():
        table.add_row(name, f"{ms:.2f}")
    table.add_section()
    table.add_row("together", f"{sum(line.cpu_ms.values()):.2f}")
    if not line.behind:
        table.caption = f"capture to inspection: p50 {line.p50_ms:.0f} ms, p99 {line.p99_ms:.0f} ms"
    return table


def _carried(found: BenchFigures) -> Table:
    rates = list(dict.fromkeys(row.fps for row in found.carried))
    p99_ms = max(row.p99_ms for row in found.carried)
    batch = found.carried[0].batch
    title = f"cameras that this machine carries, p99 within {found.latency_s:g} s (batches of {batch}: {p99_ms:.0f} ms)"
    table = _table(title, "picture", *(f"{fps:g} frames/s" for fps in rates))
    by_size: dict[str, list[CarriedCameras]] = {}
    for row in found.carried:
        by_size.setdefault(f"{row.width}x{row.height}", []).append(row)
    for size, rows in by_size.items():
        table.add_row(size, *(str(row.cameras) for row in rows))
    return table
