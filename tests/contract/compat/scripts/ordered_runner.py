"""Batch work in two processes, results in order."""
# Written as users of that API write.
# ruff: noqa: ANN001, ANN205

from easycore.common.config import CfgNode
from easycore.common.parallel import OrderedRunner


class Squares(OrderedRunner):
    @staticmethod
    def producer_work(device, cfg, data):
        return data * data

    @staticmethod
    def consumer_init(cfg):
        cfg.sum = 0

    @staticmethod
    def consumer_work(cfg, data):
        cfg.sum += data

    @staticmethod
    def consumer_end(cfg):
        return cfg.sum


if __name__ == "__main__":
    runner = Squares(devices=2, cfg=CfgNode())
    print(runner(range(10)))
    runner.close()
