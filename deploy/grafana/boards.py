"""The dashboards; each has a module with its panels and the PromQL of each curve.

They read the recording rules of `deploy/prometheus/rules.yaml` where there is one.
"""

from deploy.grafana import backpressure, board, camera, line, sinks, workers

BOARDS = (line.BOARD, backpressure.BOARD, camera.BOARD, workers.BOARD, sinks.BOARD, board.BOARD)
