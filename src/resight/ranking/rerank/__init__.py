"""k-reciprocal re-ranking in bounded memory."""

from resight.ranking.rerank.reranking import PAPER, Reranking, rerank

__all__ = ["PAPER", "Reranking", "rerank"]
